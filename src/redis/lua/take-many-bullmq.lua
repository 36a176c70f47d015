-- Takes up to so many jobs of a queue at once, in the order and with the effects of BullMQ 6.7.0's moveToActive, one call
-- of which takes one. What is the same for all of a call is done once: promoting delayed jobs (1,000 of them), the marker,
-- moving ids between lists. The differential test compares every key with the original's.
-- A queue with a rate limit or a concurrency of its own has its jobs taken by the original, one by one, and so has every
-- queue where another BullMQ than the compared one is installed.
--
-- KEYS: wait, takings. ARGV: key prefix `bull:mail:`, queue, key of the sources, token of the locks, their time in
-- ms, most jobs, wait of a refused host in ms, 1 where the original is to be used, 1 where locks are written later.
-- Returns {now in ms, limited for ms, when the next delayed job is due in ms or 0, refused, texts, then hashes as lists, their
-- job's id last}. Of the texts, five are a job: id, name, data, opts and timestamp; where they are empty, the next list is the
-- job. A job is in the texts when it is as it was added, without delay and priority. (All in one text would be less for the host
-- to read, but is dearer here: Lua looks at every byte of a string that it makes, and of each on the way to it.)
--
-- Of the jobs in the texts, those from Kafka have nothing written to them where locks are written later: most end first, and
-- leave nothing behind. The stalled check finds such a job like any other without a lock, in the second look after it was taken.
--
-- Hard rules: an id is in `active` before anything can fail that concerns one job only; what fails then is found by the
-- stalled check. A refused job is counted nowhere, and makes room for the next; after so many the host waits.

local KEYS_TO_TAKE = { 'wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', 'marker' }
local PROMOTED_AT_ONCE = 1000
-- A job that was taken without a lock is locked within a second, or when it fails before.
local NOTED_FOR_MS = 15000

local call = redis.call
local prefix, queue, sources, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lock_ms, most, refused_wait_ms = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local is_original, locks_later = ARGV[8] == '1', ARGV[9] == '1'
local wait, active, prioritized, events = prefix .. 'wait', prefix .. 'active', prefix .. 'prioritized', prefix .. 'events'
local delayed = prefix .. 'delayed'
local now = now_ms()
local locked_until = string.format('%d', now + lock_ms)
local texts = {}
local reply = { tonumber(now), 0, 0, 0, texts }
local refused = 0
local is_any_unlocked = false

local function tell(id, name, data, opts, timestamp)
  local at = #texts
  texts[at + 1], texts[at + 2], texts[at + 3], texts[at + 4], texts[at + 5] = id, name, data, opts, timestamp
end

local function tell_hash(id, hash)
  tell('', '', '', '', '')
  hash[#hash + 1] = id
  reply[#reply + 1] = hash
end

-- What the original has taken goes out of `active` again, with its counts.
local function untake(id, is_limited)
  local job = prefix .. id
  call('LREM', active, 1, id)
  call('DEL', job .. ':lock')
  call('HINCRBY', job, 'ats', -1)
  if is_limited and call('HEXISTS', job, 'defa') == 0 and call('EXISTS', prefix .. 'limiter') == 1 then
    call('DECR', prefix .. 'limiter')
  end
end

local function take_by_original(is_limited)
  local keys = {}
  for i, name in ipairs(KEYS_TO_TAKE) do keys[i] = prefix .. name end
  local opts = cmsgpack.pack({ token = token, lockDuration = tonumber(lock_ms) })
  while #reply < 5 + most and refused < MOST_REFUSED do
    local taken = moveToActive(keys, { prefix, now, opts })
    local id = taken[2]
    if type(id) ~= 'string' then
      reply[2], reply[3] = taken[3], taken[4]
      break
    end
    if may_run(sources, queue, id) then
      tell_hash(id, taken[1])
    else
      refused = refused + 1
      untake(id, is_limited)
      put_off(prefix, id, now)
    end
  end
end

local function promote(is_paused)
  local due = call('ZRANGEBYSCORE', delayed, 0, (tonumber(now) + 1) * 0x1000 - 1, 'LIMIT', 0, PROMOTED_AT_ONCE)
  if #due == 0 then return end
  call('ZREM', delayed, unpack(due))
  for _, id in ipairs(due) do
    local job = prefix .. id
    local priority = tonumber(call('HGET', job, 'priority')) or 0
    if priority == 0 then
      call('LPUSH', wait, id)
    else
      local turn = call('INCR', prefix .. 'pc')
      call('ZADD', prioritized, priority * 0x100000000 + turn % 0x100000000, id)
    end
    call('XADD', events, '*', 'event', 'waiting', 'jobId', id, 'prev', 'delayed')
    call('HSET', job, 'delay', 0)
  end
  if not is_paused then call('ZADD', prefix .. 'marker', 0, '0') end
end

-- Ids that left their list go where they belong now. Older versions left marks in `wait` that begin with `0:`.
local function admit(ids, step, taken)
  local admitted = {}
  for i = 1, #ids, step do
    local id = ids[i]
    if string.sub(id, 1, 2) == '0:' then
      -- Of no use any more.
    elseif may_run(sources, queue, id) then
      admitted[#admitted + 1] = id
      taken[#taken + 1] = id
    else
      refused = refused + 1
      put_off(prefix, id, now)
    end
  end
  if #admitted > 0 then call('LPUSH', active, unpack(admitted)) end
end

-- Also answers how many of them come first that were in `wait`.
local function pop_ids()
  local taken = {}
  while #taken < most and refused < MOST_REFUSED do
    local ids = call('RPOP', wait, most - #taken)
    if not ids or #ids == 0 then break end
    admit(ids, 1, taken)
  end
  local waited = #taken
  while #taken < most and refused < MOST_REFUSED do
    local ids = call('ZPOPMIN', prioritized, most - #taken)
    if #ids == 0 then
      call('DEL', prefix .. 'pc')
      break
    end
    admit(ids, 2, taken)
  end
  return taken, waited
end

local ADDED_FIELDS = 6

-- Whether the hash of a job that was in `wait` is as it was added. `added`: ats, stc, name, data, opts, timestamp. What waits there has
-- no priority, and its delay is over, whatever its hash says: BullMQ's `promoteJobs` leaves both fields, which nobody reads of a job
-- that runs. Nobody gives other fields to a job from Kafka before it is taken.
local function is_fresh(id, job, added)
  return not added[1] and not added[2] and added[3] and added[4] and added[5] and added[6]
    and (is_from_kafka(id) or call('HLEN', job) == ADDED_FIELDS)
end

-- Into the reply, from the hash as it is after this.
local function begin(id, has_waited)
  local job = prefix .. id
  call('XADD', events, '*', 'event', 'active', 'jobId', id, 'prev', 'waiting')
  local added = redis.pcall('HMGET', job, 'ats', 'stc', 'name', 'data', 'opts', 'timestamp')
  local is_as_added = has_waited and not added.err and is_fresh(id, job, added)
  local is_locked = not (is_as_added and locks_later and is_from_kafka(id))
  if is_locked then call('SET', job .. ':lock', token, 'PXAT', locked_until) else is_any_unlocked = true end
  if added.err then return end
  if is_as_added then
    if is_locked then call('HSET', job, 'processedOn', now, 'ats', '1') end
    tell(id, added[3], added[4], added[5], added[6])
  else
    call('HSET', job, 'processedOn', now)
    call('HINCRBY', job, 'ats', 1)
    tell_hash(id, call('HGETALL', job))
  end
end

local function note_taking()
  local takings = KEYS[2]
  call('ZADD', takings, now, token)
  call('ZREMRANGEBYSCORE', takings, 0, string.format('%d', now - NOTED_FOR_MS))
  call('PEXPIRE', takings, NOTED_FOR_MS)
end

local function take(is_paused)
  -- Fails here, if at all, while every id still is where it was.
  call('LLEN', active)
  call('ZCARD', prioritized)
  promote(is_paused)
  if is_paused then return end
  local taken, waited = pop_ids()
  for i, id in ipairs(taken) do begin(id, i <= waited) end
  if #taken > 0 then call('ZADD', prefix .. 'marker', 0, '0') end
  if is_any_unlocked then note_taking() end
  if #taken < most then
    local first = call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
    if first[2] then reply[3] = tonumber(first[2]) / 0x1000 end
  end
end

local meta = call('HMGET', prefix .. 'meta', 'paused', 'concurrency', 'max')
if is_original or meta[2] or meta[3] then take_by_original(meta[3]) else take(meta[1]) end
if refused >= MOST_REFUSED then reply[2] = refused_wait_ms end
reply[4] = refused
return reply
