-- What Sluice's own host adds to BullMQ's scripts that take and finish jobs, in the same call. A job from Kafka is taken
-- only when the ledger that it is entered in is reconciled with this history of Redis: what a restored Redis brought back
-- may be finished. A completed job leaves its entry with it (rule 12, entries.lua), so that one that is missing was removed
-- by somebody else. Scripts of BullMQ stand above as functions of (KEYS, ARGV); ours append to their arguments.

local MOST_REFUSED = 10
local REFUSED_FOR_MS = 1000
local KEYS_TO_TAKE = { 'wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', 'marker' }

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
