-- What Sluice's own host adds to BullMQ's scripts that take and finish jobs, in the same call. A job from Kafka is taken
-- only when the ledger that it is entered in is reconciled with this history of Redis: what a restored Redis brought back
-- may be finished. A completed job leaves its entry with it (rule 12), so that one that is missing was removed by
-- somebody else. Scripts of BullMQ stand above as functions of (KEYS, ARGV); ours append to their arguments.

local MOST_REFUSED = 10
local REFUSED_FOR_MS = 1000
local KEYS_TO_TAKE = { 'wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', 'marker' }

-- The ledgers that hold this job as unsettled, each with its chunk and slot. An error reads as none: BullMQ has written.
local function entries_of(sources, queue, id)
  local source, offset = string.match(id, '^(k~.*~)(%d+)$')
  if not source then return {} end
  local slot = tonumber(offset) % CHUNK
  local chunk = string.format('%.0f', (tonumber(offset) - slot) / CHUNK)
  local bases = redis.pcall('SMEMBERS', sources .. ':' .. source)
  local entries = {}
  for _, base in ipairs(bases.err and {} or bases) do
    local key = chunk_key(base, chunk, queue)
    if redis.pcall('SISMEMBER', key, slot) == 1 then
      entries[#entries + 1] = { base = base, chunk = chunk, slot = slot, key = key }
    end
  end
  return entries
end

-- The half of the incarnation that is cheap to ask, once a job: it changes with a restart and with a failover alike.
local function present_replid()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
end

local function is_reconciled(entries)
  if #entries == 0 then return true end
  local replid = present_replid()
  for _, entry in ipairs(entries) do
    local reconciled = redis.pcall('HGET', entry.base, 'reconciled')
    if type(reconciled) ~= 'string' or string.match(reconciled, '%.(%w+)$') ~= replid then return false end
  end
  return true
end

-- Hosts' clocks do not matter: a retry on a host that is an hour ahead would be due in an hour.
local function now_ms()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- As if it had not been taken, the counters included; for a moment out of the way of others.
local function put_aside(prefix, id)
  local job = prefix .. id
  redis.call('LREM', prefix .. 'active', 1, id)
  redis.call('DEL', job .. ':lock')
  redis.call('HINCRBY', job, 'ats', -1)
  local meta = redis.call('HMGET', prefix .. 'meta', 'max', 'opts.maxLenEvents')
  if meta[1] and redis.call('HEXISTS', job, 'defa') == 0 and redis.call('EXISTS', prefix .. 'limiter') == 1 then
    redis.call('DECR', prefix .. 'limiter')
  end
  local due = tonumber(now_ms()) + REFUSED_FOR_MS
  redis.call('HSET', job, 'delay', REFUSED_FOR_MS)
  redis.call('ZADD', prefix .. 'delayed', due * 0x1000, id)
  redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', meta[2] or '10000', '*', 'event', 'delayed', 'jobId', id, 'delay', due)
  local first = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
  redis.call('ZADD', prefix .. 'marker', tonumber(first[2]) / 0x1000, '1')
end

-- `taken` is BullMQ's answer {job, id, limited for ms, next delayed}. A refused job makes room for the next; after so
-- many, the host is told to wait, as for a rate limit. Its fifth place says that something was refused.
local function guarded(taken, prefix, queue, sources, now, opts, wait_ms)
  local keys = {}
  for refused = 0, MOST_REFUSED do
    local is_job = type(taken) == 'table' and type(taken[2]) == 'string'
    if not is_job or is_reconciled(entries_of(sources, queue, taken[2])) then
      if refused > 0 and type(taken) == 'table' then taken[5] = 'refused' end
      return taken
    end
    put_aside(prefix, taken[2])
    for i, name in ipairs(KEYS_TO_TAKE) do keys[i] = prefix .. name end
    if refused < MOST_REFUSED then taken = moveToActive(keys, { prefix, now, opts }) end
  end
  return { 0, 0, tonumber(wait_ms), 0, 'refused' }
end

-- Never an error: BullMQ has written already. An entry that stays is found by the bridge. The chunk is noted, so that the
-- bridge sees at once where something has changed.
local function settle_completed(id, queue, sources)
  for _, entry in ipairs(entries_of(sources, queue, id)) do
    redis.pcall('SREM', entry.key, entry.slot)
    if redis.call('EXISTS', entry.key) == 0 then redis.pcall('ZREM', entry.base .. ':c', entry.chunk .. ':' .. queue) end
    redis.pcall('SADD', entry.base .. ':d', entry.chunk)
  end
end
