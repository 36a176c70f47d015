-- What Sluice's own host adds to the taking of jobs, in the same call. A job from Kafka is taken only when the ledger
-- that it is entered in is reconciled with this history of Redis: what a restored Redis brought back may be finished.
-- Whether a ledger is, is asked once a call.

local MOST_REFUSED = 10
local REFUSED_FOR_MS = 1000

-- As of the moment that is `now`; out of the way of others, uncounted. It is in no list any more.
local function put_off(prefix, id, now)
  local due = tonumber(now) + REFUSED_FOR_MS
  redis.call('ZADD', prefix .. 'delayed', due * 0x1000, id)
  redis.call('HSET', prefix .. id, 'delay', REFUSED_FOR_MS)
  local max_events = redis.call('HGET', prefix .. 'meta', 'opts.maxLenEvents') or '10000'
  redis.call('XADD', prefix .. 'events', 'MAXLEN', '~', max_events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
  local first = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
  redis.call('ZADD', prefix .. 'marker', tonumber(first[2]) / 0x1000, '1')
end

-- The ledgers that the source's jobs may be entered in and that are not reconciled, by the source. An error reads as none.
local doubtful = {}
local function doubtful_ledgers(sources, source)
  if doubtful[source] then return doubtful[source] end
  local found = {}
  local bases = redis.pcall('SMEMBERS', sources .. ':' .. source)
  for _, base in ipairs(bases.err and {} or bases) do
    if not is_ledger_reconciled(base) then found[#found + 1] = base end
  end
  doubtful[source] = found
  return found
end

-- The last source that has none: jobs of one partition come one after the other, and such a one need not be taken apart.
local undoubted, undoubted_length = '', 0
local function is_of_undoubted_source(id)
  return undoubted_length > 0 and string.sub(id, 1, undoubted_length) == undoubted
end

local function may_run(sources, queue, id)
  if not is_from_kafka(id) or is_of_undoubted_source(id) then return true end
  local source, offset = source_and_offset(id)
  if not source then return true end
  local ledgers = doubtful_ledgers(sources, source)
  if #ledgers == 0 then undoubted, undoubted_length = source, #source end
  for _, base in ipairs(ledgers) do
    local slot = tonumber(offset) % CHUNK
    local chunk = string.format('%.0f', (tonumber(offset) - slot) / CHUNK)
    if redis.pcall('SISMEMBER', chunk_key(base, chunk, queue), slot) == 1 then return false end
  end
  return true
end
