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
-- So many times the jobs of a call are looked at in `active`, from its end.
local WINDOW = 8
-- Fewer leave it one by one.
local MANY = 8
local MISSING_KEY, MISSING_LOCK, NOT_ACTIVE, NOT_OWNED = -1, -2, -3, -6

local call = redis.call
local prefix, queue, sources, most_points, is_original = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5] == '1'
local active, events, completed = prefix .. 'active', prefix .. 'events', prefix .. 'completed'
local now = now_ms()
local finished_here, no_longer_stalled, keys_to_delete = 0, {}, {}
local is_drain_open, are_relatives, are_all_there = false, false, false
-- Of each job of the call, in their order: keys, and of one from Kafka its ledgers' source and its offset.
local ids, jobs, locks, sources_of, offsets_of = {}, {}, {}, {}, {}

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

-- Whether there is a ledger that a job of this source may be entered in: anybody may give a job an id that looks like one
-- from Kafka.
local known_sources = {}
local function is_of_a_ledger(source)
  if known_sources[source] == nil then known_sources[source] = call('EXISTS', sources .. ':' .. source) == 1 end
  return known_sources[source]
end

-- One from Kafka that leaves nothing behind has neither parent nor deduplication, and that it is there was asked for all at
-- once.
local function is_simple(i, keep)
  return are_all_there and keep == '0' and sources_of[i] and is_of_a_ledger(sources_of[i])
end

local function is_for_original(id, job, keep, known)
  return is_original or known[2] or known[3] or string.byte(keep) == 123
    or (are_relatives and not is_from_kafka(id) and has_relatives(job))
end

-- `i`: its place among the jobs of the call. `holder`: whose token the lock holds.
local function complete(i, id, token, value, keep, holder)
  local job, is_unmarked = jobs[i], false
  if is_original or not is_simple(i, keep) then
    local known = call('HMGET', job, 'ats', 'parentKey', 'deid')
    if is_for_original(id, job, keep, known) then return finish_by_original(id, token, value, keep) end
    if not known[1] and call('EXISTS', job) == 0 then return MISSING_KEY end
    is_unmarked = not known[1]
  end
  if holder and holder ~= token then return NOT_OWNED end
  local was_active = call('LREM', active, '-1', id) > 0
  no_longer_stalled[#no_longer_stalled + 1] = id
  if holder then keys_to_delete[#keys_to_delete + 1] = locks[i] end
  if not was_active then return NOT_ACTIVE end
  if keep == '0' then
    keys_to_delete[#keys_to_delete + 1] = job
    keys_to_delete[#keys_to_delete + 1] = job .. ':logs'
  else
    -- Taken without a lock, moments ago.
    if is_unmarked then call('HSET', job, 'processedOn', now, 'ats', '1') end
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

local relatives, from_kafka = {}, {}
for_each_job(function(id)
  local i, job = #ids + 1, prefix .. id
  ids[i], jobs[i], locks[i] = id, job, job .. ':lock'
  if is_from_kafka(id) then
    from_kafka[#from_kafka + 1] = job
    sources_of[i], offsets_of[i] = source_and_offset(id)
  else
    local at = #relatives
    relatives[at + 1], relatives[at + 2] = job .. ':dependencies', job .. ':unsuccessful'
    relatives[at + 3], relatives[at + 4] = job .. ':processed', job .. ':failed'
  end
end)

-- Asked for all jobs at once: who holds their locks, whether those from Kafka are there, and whether any other is of a flow.
local holders = call('MGET', unpack(locks))
are_all_there = #from_kafka > 0 and call('EXISTS', unpack(from_kafka)) == #from_kafka
are_relatives = #relatives > 0 and call('EXISTS', unpack(relatives)) > 0

-- A list without these ids, and whether it held each.
local function without(list)
  local is_leaving, left, rest = {}, 0, {}
  for _, id in ipairs(ids) do is_leaving[id] = true end
  for _, id in ipairs(list) do
    if is_leaving[id] then
      is_leaving[id] = nil
      left = left + 1
    else
      rest[#rest + 1] = id
    end
  end
  return rest, left == #ids
end

-- Takes all of them out of `active` at once. Jobs end in about the order in which they were taken, so they are the last there,
-- or near: LREM would look at those behind each of them again.
local function leave_together()
  for _, window in ipairs({ #ids, WINDOW * #ids }) do
    local last = redis.pcall('LRANGE', active, -window, '-1')
    if last.err then return false end
    local rest, are_all = without(last)
    if are_all then
      call('LTRIM', active, 0, -1 - #last)
      if #rest > 0 then call('RPUSH', active, unpack(rest)) end
      return true
    end
  end
  return false
end

-- Whether nothing can keep any of them.
local function are_all_simple()
  local i = 0
  local are_so = not is_original
  for_each_job(function(_, at)
    i = i + 1
    are_so = are_so and is_simple(i, ARGV[at + 2]) and (not holders[i] or holders[i] == ARGV[at])
  end)
  return are_so
end

local reply, settled_sources, settled_offsets = {}, {}, {}

-- As `complete`, of jobs that have left `active` and that nothing can keep.
local function complete_together()
  settled_sources, settled_offsets, no_longer_stalled = sources_of, offsets_of, ids
  for_each_job(function(id, at)
    local i, last = #reply + 1, #keys_to_delete
    local job = jobs[i]
    keys_to_delete[last + 1], keys_to_delete[last + 2], keys_to_delete[last + 3] = job, job .. ':logs', holders[i] and locks[i] or nil
    local told = redis.pcall('XADD', events, '*', 'event', 'completed', 'jobId', id, 'returnvalue', ARGV[at + 1], 'prev', 'active')
    reply[i] = type(told) == 'table' and told.err or 0
  end)
  finished_here, is_drain_open = #ids, true
end

local function complete_each()
  for_each_job(function(id, at)
    local i = #reply + 1
    local is_through, result = pcall(complete, i, id, ARGV[at], ARGV[at + 1], ARGV[at + 2], holders[i])
    if not is_through then result = tostring(type(result) == 'table' and result.err or result) end
    reply[i] = result
    if result == 0 and sources_of[i] then
      settled_sources[#settled_sources + 1] = sources_of[i]
      settled_offsets[#settled_offsets + 1] = offsets_of[i]
    end
  end)
end

if #ids >= MANY and are_all_simple() and leave_together() then complete_together() else complete_each() end

if #keys_to_delete > 0 then call('DEL', unpack(keys_to_delete)) end
if #no_longer_stalled > 0 then call('SREM', prefix .. 'stalled', unpack(no_longer_stalled)) end
if finished_here > 0 and most_points ~= '' then count_points() end
if is_drain_open then tell_if_drained() end
settle_many(settled_sources, settled_offsets, queue, sources)
return reply
