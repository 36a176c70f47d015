-- What must hold of a BullMQ queue before jobs are added to it, whichever adder writes them.

-- Of the keys that any batch touches, and of those that some do: one of a hundred queues has few jobs in a batch.
local TYPES = { wait = 'list', marker = 'zset', meta = 'hash', events = 'stream', id = 'string' }
local TYPES_WITH_DELAYS = { delayed = 'zset' }
local TYPES_WITH_PRIORITIES = { prioritized = 'zset', pc = 'string' }
-- Set by an adder that may touch them all.
local are_all_touched = false

-- What a queue's `meta` says, asked once a call.
local known_meta = {}
local function meta_of(prefix)
  if not known_meta[prefix] then
    local told = redis.call('HMGET', prefix .. 'meta', 'version', 'paused', 'concurrency', 'opts.maxLenEvents')
    known_meta[prefix] = { version = told[1], paused = told[2], concurrency = told[3], max_events = told[4] }
  end
  return known_meta[prefix]
end

local function wrong_type(prefix, types)
  for suffix, wanted in pairs(types) do
    if not is_of_type(prefix .. suffix, wanted) then return 'wrong-type ' .. prefix .. suffix end
  end
end

-- Why jobs must not be added to this queue, which says whether it takes delayed or prioritized ones; or nil. Versions before 6
-- move a paused queue's jobs to `paused` and rename that list over `wait` when it is resumed: what was added in between would
-- be lost.
local function queue_refusal(queue)
  local prefix = queue.prefix
  local why = wrong_type(prefix, TYPES)
    or ((are_all_touched or queue.takes_delayed) and wrong_type(prefix, TYPES_WITH_DELAYS))
    or ((are_all_touched or queue.takes_prioritized) and wrong_type(prefix, TYPES_WITH_PRIORITIES))
  if why then return why end
  local meta = meta_of(prefix)
  local is_counted = are_all_touched or meta.concurrency
  if is_counted and not is_of_type(prefix .. 'active', 'list') then return 'wrong-type ' .. prefix .. 'active' end
  local version = meta.version
  if version then
    local major = tonumber(string.match(version, '^bullmq:(%d+)%.') or string.match(version, '^bullmq%-pro:(%d+)%.'))
    if major ~= 5 and major ~= 6 then return 'untested-version ' .. version end
    if major == 5 and meta.paused then return 'paused-by ' .. version end
  end
  if redis.call('EXISTS', prefix .. 'paused') == 1 then return 'legacy-paused ' .. (version or 'unknown') end
end
