-- The adder over BullMQ's own scripts, one call a job. Their text stands above as functions of (KEYS, ARGV). They write `delay` and
-- `priority` of every job, those of a lean queue too. Which keys they touch for which job, another version may have changed.

are_all_touched = true

local function new_queue(queue)
  if meta_of(queue.prefix).version then return end
  redis.call('HSET', queue.prefix .. 'meta', 'version', 'bullmq:6.7.0')
end

-- BullMQ answers a job that is there already with its id, as it does a new one.
local function add_job(queue, id, name, data, opts, timestamp, delay, priority)
  local p = queue.prefix
  local is_new = redis.call('EXISTS', p .. id) == 0
  local packed = cmsgpack.pack({ p, id, name, timestamp })
  local args = { packed, data, cmsgpack.pack(cjson.decode(opts)) }
  if delay ~= '0' and delay ~= '' then
    addDelayedJob({ p .. 'marker', p .. 'meta', p .. 'id', p .. 'delayed', p .. 'completed', p .. 'events' }, args)
  elseif priority ~= '0' and priority ~= '' then
    addPrioritizedJob({ p .. 'marker', p .. 'meta', p .. 'id', p .. 'prioritized', p .. 'delayed', p .. 'completed',
      p .. 'active', p .. 'events', p .. 'pc' }, args)
  else
    addStandardJob({ p .. 'wait', p .. 'paused', p .. 'meta', p .. 'id', p .. 'completed', p .. 'delayed', p .. 'active',
      p .. 'events', p .. 'marker' }, args)
  end
  return is_new
end

local function flush_queue(queue)
  return redis.call('LLEN', queue.prefix .. 'wait')
end
