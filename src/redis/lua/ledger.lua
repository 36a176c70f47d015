-- The ledger's checks, in front of every script that speaks for a partition.
-- Nothing is written before `refusal` has answered nil: a Lua error rolls nothing back.

local CHUNK = 512
-- Behind the ledger's own name. `:x` and `:m` are of Sidekiq's jobs alone.
local LEDGER_TYPES = { [''] = 'hash', [':c'] = 'zset', [':d'] = 'set', [':x'] = 'hash', [':m'] = 'set' }

-- One uninterrupted history of this Redis. run_id changes with a restart, master_replid with a failover;
-- run_id alone survives a failover there and back.
local function incarnation()
  local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
  local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  return run_id .. '.' .. replid
end

local function used_memory()
  return tonumber(string.match(redis.call('INFO', 'memory'), 'used_memory:(%d+)'))
end

local function is_of_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  return found == wanted or found == 'none'
end

-- Why this caller may not act, as {status, enqueued, incarnation}; nil when it may.
-- Also returns the present enqueued offset and incarnation. A ledger that has never enqueued stands at -1.
local function refusal(base, owner, expected_incarnation, expected)
  for key, wanted in pairs(LEDGER_TYPES) do
    if not is_of_type(base .. key, wanted) then return { 'corrupt', -1, base .. key } end
  end
  local present = incarnation()
  local fields = redis.call('HMGET', base, 'owner', 'enqueued')
  local enqueued = tonumber(fields[2] or '')
  if fields[1] ~= owner then return { 'disowned', enqueued or -1, present } end
  if present ~= expected_incarnation then return { 'reborn', enqueued or -1, present } end
  if enqueued == nil and expected >= 0 then return { 'disowned', -1, present } end
  enqueued = enqueued or -1
  if enqueued < expected then return { 'behind', enqueued, present } end
  return nil, enqueued, present
end

local function chunk_key(base, chunk, queue)
  return base .. ':u:' .. chunk .. ':' .. queue
end

-- Takes settled offsets (mod 512) out of a chunk, and the chunk out of the index when it is empty.
local function settle(base, chunk, queue, settled)
  local key = chunk_key(base, chunk, queue)
  redis.call('SREM', key, unpack(settled))
  if redis.call('EXISTS', key) == 0 then redis.call('ZREM', base .. ':c', chunk .. ':' .. queue) end
end

local INDEX_PAGE = 40

-- The index from a chunk upwards, member by member with its chunk: read in pages, because mostly the first few are all that
-- is asked for. Nothing may be taken out of it meanwhile.
local function members_from(base, first)
  local page, at, read, is_all = {}, 1, 0, false
  return function()
    if at > #page and not is_all then
      page = redis.call('ZRANGE', base .. ':c', first, '+inf', 'BYSCORE', 'LIMIT', read, INDEX_PAGE, 'WITHSCORES')
      at, read, is_all = 1, read + INDEX_PAGE, #page < 2 * INDEX_PAGE
    end
    at = at + 2
    return page[at - 2], page[at - 1]
  end
end

-- Where a worker finds the ledgers that a job may be entered in: a set for each prefix of job ids.
local function sources_key(base, id_prefix)
  return string.match(base, '^(.-):ledger:') .. ':sources:' .. id_prefix
end
