-- The adder: writes jobs exactly as BullMQ 6.7.0 does (addStandardJob, addPrioritizedJob, addDelayedJob), but
-- answers what is the same for a whole batch once. The differential test compares every key with the original's.
-- Those of a lean queue go without the fields `delay` and `priority` where they have neither.
-- Hard rules: the hash exists before its id is in a list; `added` comes before `waiting`; no marker while paused
-- or at the queue's own concurrency limit.

local PRIORITY_STEP = 0x100000000
local DELAY_STEP = 0x1000

local function new_queue(queue)
  local prefix = queue.prefix
  local meta = meta_of(prefix)
  queue.max_events = meta.max_events
  if not queue.max_events then
    queue.max_events = '10000'
    redis.call('HSET', prefix .. 'meta', 'opts.maxLenEvents', queue.max_events)
  end
  if not meta.version then redis.call('HSET', prefix .. 'meta', 'version', 'bullmq:6.7.0') end
  local is_maxed = meta.concurrency and redis.call('LLEN', prefix .. 'active') >= tonumber(meta.concurrency)
  queue.is_held = meta.paused or is_maxed
  queue.events = prefix .. 'events'
  queue.waiting, queue.depth, queue.counted = {}, 0, 0
end

local function add_delayed(queue, id, timestamp, delay)
  local key = queue.prefix .. 'delayed'
  local due = tonumber(timestamp) + delay
  local low, high = due * DELAY_STEP, (due + 1) * DELAY_STEP - 1
  local top = redis.call('ZREVRANGEBYSCORE', key, high, low, 'WITHSCORES', 'LIMIT', 0, 1)
  local score = low
  if top[2] then score = math.min(tonumber(top[2]) + 1, high) end
  redis.call('ZADD', key, score, id)
  redis.call('XADD', queue.events, '*', 'event', 'delayed', 'jobId', id, 'delay', due)
  queue.has_delayed = true
end

local function add_prioritized(queue, id, priority)
  local turn = redis.call('INCR', queue.prefix .. 'pc')
  redis.call('ZADD', queue.prefix .. 'prioritized', priority * PRIORITY_STEP + turn % PRIORITY_STEP, id)
  queue.has_prioritized = true
end

-- The job's hash; '' stands for a field that it goes without. False when some of its fields were there.
local function write(job, name, data, opts, timestamp, delay, priority)
  if delay ~= '' and priority ~= '' then
    return redis.call('HSET', job, 'name', name, 'data', data, 'opts', opts,
      'timestamp', timestamp, 'delay', delay, 'priority', priority) == 6
  end
  local is_new = redis.call('HSET', job, 'name', name, 'data', data, 'opts', opts, 'timestamp', timestamp) == 4
  if delay ~= '' then redis.call('HSET', job, 'delay', delay) end
  if priority ~= '' then redis.call('HSET', job, 'priority', priority) end
  return is_new
end

-- False when the job is there already: then its hash holds the same record, and its place in the queue is its own.
local function add_job(queue, id, name, data, opts, timestamp, delay, priority)
  queue.counted = queue.counted + 1
  if not write(queue.prefix .. id, name, data, opts, timestamp, delay, priority) then
    redis.call('XADD', queue.events, '*', 'event', 'duplicated', 'jobId', id)
    return false
  end
  redis.call('XADD', queue.events, '*', 'event', 'added', 'jobId', id, 'name', name)
  if delay ~= '0' and delay ~= '' then
    add_delayed(queue, id, timestamp, tonumber(delay))
    return true
  end
  if priority ~= '0' and priority ~= '' then
    add_prioritized(queue, id, tonumber(priority))
  else
    queue.waiting[#queue.waiting + 1] = id
  end
  redis.call('XADD', queue.events, '*', 'event', 'waiting', 'jobId', id)
  return true
end

-- Writes what the batch shares; returns how many jobs wait in the queue.
local function flush_queue(queue)
  local prefix = queue.prefix
  local depth = 0
  if queue.counted > 0 then
    redis.call('INCRBY', prefix .. 'id', queue.counted)
    redis.call('XTRIM', queue.events, 'MAXLEN', '~', queue.max_events)
  end
  if #queue.waiting > 0 then depth = redis.call('LPUSH', prefix .. 'wait', unpack(queue.waiting)) end
  if (#queue.waiting > 0 or queue.has_prioritized) and not queue.is_held then
    redis.call('ZADD', prefix .. 'marker', 0, '0')
  end
  if queue.has_delayed then
    local first = redis.call('ZRANGE', prefix .. 'delayed', 0, 0, 'WITHSCORES')
    redis.call('ZADD', prefix .. 'marker', tonumber(first[2]) / DELAY_STEP, '1')
  end
  return depth
end
