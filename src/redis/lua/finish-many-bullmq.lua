-- Completes many jobs of a queue at once, each with the effects of BullMQ 6.7.0's moveToFinished without fetching, and takes
-- their ledger entries with them (rule 12). What is the same for all of a call is done once: trimming events, metrics,
-- `stalled`, the ledger's chunks, and whether the queue is drained. The differential test compares every key.
-- Completed by the original, one by one: children and parents of a flow, deduplicated jobs, jobs whose history is limited by
-- age or number, and all where another BullMQ than the compared one is installed.
-- Other than in the original: a job whose lock ran out while nobody else took it is completed; a job from Kafka is not looked
-- at for children that somebody may have given it; and `drained` is told as by a worker that looks for the next job, not
-- while delayed jobs are left.
--
-- KEYS: active. ARGV: key prefix `bull:mail:`, queue, key of the sources, most data points of the metrics or '', 1 where
-- the original is to be used, then for each group of jobs {token, return value, what to keep: `0` nothing, `-1` all, else
-- JSON, number of jobs, their ids}.
-- Returns for each job 0, BullMQ's negative code, or the text of an error, which concerns this job alone.

local FIRST_GROUP, GROUP_HEAD = 6, 4
local KEYS_TO_FINISH = { 'wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed', 'paused', 'meta', 'pc', 'completed' }
-- Keys of a flow: children, and what became of them.
local RELATIVES = { ':dependencies', ':unsuccessful', ':processed', ':failed' }
local MISSING_KEY, MISSING_LOCK, NOT_ACTIVE, NOT_OWNED = -1, -2, -3, -6

local call = redis.call
local prefix, queue, sources, most_points, is_original = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local active, events, completed = prefix .. 'active', prefix .. 'events', prefix .. 'completed'
local now = now_ms()
local finished_here, no_longer_stalled, keys_to_delete = 0, {}, {}
local is_drain_open, are_relatives, are_all_there = false, false, false

local function finish_by_original(id, token, value, keep)
  local keys = {}
  for i, name in ipairs(KEYS_TO_FINISH) do keys[i] = prefix .. name end
  keys[12], keys[13], keys[14] = prefix .. id, prefix .. 'metrics:completed', prefix .. 'marker'
  local function with(lock_token)
    local opts = {
      token = lock_token,
      keepJobs = string.byte(keep) == 123 and cjson.decode(keep) or { count = tonumber(keep) },
      attempts = 0,
      maxMetricsSize = tonumber(most_points) or '',
    }
    return moveToFinished(keys, { id, now, 'returnvalue', value, 'completed', '0', prefix, cmsgpack.pack(opts), '' })
  end
  local result = with(token)
  if result == MISSING_LOCK then result = with('0') end
  if result >= 0 then is_drain_open = false end
  return result
end

local function has_relatives(job)
  for _, part in ipairs(RELATIVES) do
    if call('EXISTS', job .. part) == 1 then return true end
  end
  return false
end

-- Whether there is a ledger that the job may be entered in: anybody may give a job an id that looks like one from Kafka.
local known_sources = {}
local function is_of_a_ledger(id)
  if not is_from_kafka(id) then return false end
  local source = source_and_offset(id)
  if not source then return false end
  if known_sources[source] == nil then known_sources[source] = call('EXISTS', sources .. ':' .. source) == 1 end
  return known_sources[source]
end

-- What has to be known of a job: whether it is there, its parent, its deduplication. One from Kafka that leaves nothing behind
-- has neither of the two, and that it is there was asked for all at once.
local function known_of(id, job, keep)
  if are_all_there and keep == '0' and is_of_a_ledger(id) then return { '' } end
  return call('HMGET', job, 'ats', 'parentKey', 'deid')
end

-- `holder`: whose token the lock holds.
local function complete(id, token, value, keep, holder)
  local job = prefix .. id
  local known = known_of(id, job, keep)
  if is_original or known[2] or known[3] or string.byte(keep) == 123 or (are_relatives and not is_from_kafka(id) and has_relatives(job)) then
    return finish_by_original(id, token, value, keep)
  end
  if not known[1] and call('EXISTS', job) == 0 then return MISSING_KEY end
  if holder and holder ~= token then return NOT_OWNED end
  local was_active = call('LREM', active, -1, id) > 0
  no_longer_stalled[#no_longer_stalled + 1] = id
  keys_to_delete[#keys_to_delete + 1] = job .. ':lock'
  if not was_active then return NOT_ACTIVE end
  if keep == '0' then
    keys_to_delete[#keys_to_delete + 1] = job
    keys_to_delete[#keys_to_delete + 1] = job .. ':logs'
  else
    call('HINCRBY', job, 'atm', 1)
    call('ZADD', completed, now, id)
    call('HSET', job, 'returnvalue', value, 'finishedOn', now)
  end
  call('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', value, 'prev', 'active')
  finished_here = finished_here + 1
  is_drain_open = true
  return 0
end

-- Minutes are points; the first job of a call closes the past ones, as it does in the original.
local function count_points()
  local key = prefix .. 'metrics:completed'
  local before = call('HINCRBY', key, 'count', finished_here) - finished_here
  local last = call('HMGET', key, 'prevTS', 'prevCount')
  if not last[1] then
    call('HSET', key, 'prevTS', now, 'prevCount', 0)
    return
  end
  local most = tonumber(most_points)
  local minutes = math.min(math.floor(now / 60000) - math.floor(last[1] / 60000), most)
  if minutes <= 0 then return end
  call('LPUSH', key .. ':data', before - last[2])
  for _ = 2, minutes do call('LPUSH', key .. ':data', 0) end
  call('LTRIM', key .. ':data', 0, most - 1)
  call('HSET', key, 'prevCount', before, 'prevTS', now)
end

local function tell_if_drained()
  if call('LLEN', prefix .. 'wait') == 0 and call('LLEN', active) == 0
    and call('ZCARD', prefix .. 'prioritized') == 0 and call('ZCARD', prefix .. 'delayed') == 0 then
    call('XADD', events, '*', 'event', 'drained')
  end
end

local max_events = call('HGET', prefix .. 'meta', 'opts.maxLenEvents')
if not max_events then
  max_events = '10000'
  call('HSET', prefix .. 'meta', 'opts.maxLenEvents', max_events)
end
call('XTRIM', events, 'MAXLEN', '~', max_events)

-- Calls `visit` with each job's id and the place of its group.
local function for_each_job(visit)
  local at = FIRST_GROUP
  while at <= #ARGV do
    local last = at + GROUP_HEAD + tonumber(ARGV[at + 3]) - 1
    for i = at + GROUP_HEAD, last do visit(ARGV[i], at) end
    at = last + 1
  end
end

-- Asked for all jobs at once: who holds their locks, whether those from Kafka are there, and whether any other is of a flow.
local locks, relatives, from_kafka = {}, {}, {}
for_each_job(function(id)
  local job, at = prefix .. id, #relatives
  locks[#locks + 1] = job .. ':lock'
  if is_from_kafka(id) then
    from_kafka[#from_kafka + 1] = job
  else
    relatives[at + 1], relatives[at + 2] = job .. ':dependencies', job .. ':unsuccessful'
    relatives[at + 3], relatives[at + 4] = job .. ':processed', job .. ':failed'
  end
end)
local holders = call('MGET', unpack(locks))
are_all_there = #from_kafka > 0 and call('EXISTS', unpack(from_kafka)) == #from_kafka
are_relatives = #relatives > 0 and call('EXISTS', unpack(relatives)) > 0

local reply, done = {}, {}
for_each_job(function(id, at)
  local holder = holders[#reply + 1]
  local is_through, result = pcall(complete, id, ARGV[at], ARGV[at + 1], ARGV[at + 2], holder)
  if not is_through then result = tostring(type(result) == 'table' and result.err or result) end
  reply[#reply + 1] = result
  if result == 0 then done[#done + 1] = id end
end)

if #keys_to_delete > 0 then
  call('DEL', unpack(keys_to_delete))
  call('SREM', prefix .. 'stalled', unpack(no_longer_stalled))
end
if finished_here > 0 and most_points ~= '' then count_points() end
if is_drain_open then tell_if_drained() end
settle_many(done, queue, sources)
return reply
