-- What Sluice's own host adds to BullMQ's scripts that take and finish jobs, in the same call. A job from Kafka is taken
-- only when its ledger is reconciled with this history of Redis: what a restored Redis brought back may be finished.
-- A completed job leaves its ledger entry with it (rule 12), so that one that is missing was removed by somebody else.
-- Scripts of BullMQ stand above as functions of (KEYS, ARGV); ours append to their arguments.

local function source_of(id)
  return string.match(id, '^(k~.*~)(%d+)$')
end

-- As if it had not been taken; the counters of attempts included.
local function give_back(prefix, id)
  local job = prefix .. id
  redis.call('LREM', prefix .. 'active', 1, id)
  redis.call('DEL', job .. ':lock')
  redis.call('HINCRBY', job, 'ats', -1)
  if redis.call('EXISTS', prefix .. 'limiter') == 1 then redis.call('DECR', prefix .. 'limiter') end
  local priority = tonumber(redis.call('HGET', job, 'priority') or '0')
  if priority > 0 then
    redis.call('ZADD', prefix .. 'prioritized', priority * 0x100000000, id)
  else
    redis.call('RPUSH', prefix .. 'wait', id)
  end
  redis.call('XADD', prefix .. 'events', '*', 'event', 'waiting', 'jobId', id, 'prev', 'active')
end

-- The half of the incarnation that is cheap to ask, once a job: it changes with a restart and with a failover alike.
local function is_present(incarnation_text)
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  return incarnation_text and string.match(incarnation_text, '%.(%w+)$') == replid
end

local function is_reconciled(sources, id)
  local source = source_of(id)
  local base = source and redis.call('HGET', sources, source)
  -- Nothing of this job is recorded anywhere: it runs.
  if not base then return true end
  return is_present(redis.call('HGET', base, 'reconciled'))
end

-- `taken` is BullMQ's answer {job, id, limited for ms, next delayed}. A refused job looks to it like a rate limit.
local function guarded(taken, prefix, sources, wait_ms)
  if type(taken) ~= 'table' or type(taken[2]) ~= 'string' or is_reconciled(sources, taken[2]) then return taken end
  give_back(prefix, taken[2])
  return { 0, 0, tonumber(wait_ms), 0, 'refused' }
end

-- Never an error: BullMQ has written already. An entry that stays is found by the bridge.
local function settle_completed(id, queue, sources)
  local source, offset = source_of(id)
  local base = source and redis.call('HGET', sources, source)
  if not base then return end
  local slot = tonumber(offset) % CHUNK
  local chunk = string.format('%.0f', (tonumber(offset) - slot) / CHUNK)
  local key = chunk_key(base, chunk, queue)
  if redis.pcall('SREM', key, slot) == 1 and redis.call('EXISTS', key) == 0 then
    redis.pcall('ZREM', base .. ':c', chunk .. ':' .. queue)
  end
end
