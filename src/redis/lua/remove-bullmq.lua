-- Takes jobs out of a BullMQ queue with all their keys, as BullMQ itself removes them.

local PLACES = { wait = 'list', active = 'list', delayed = 'zset', prioritized = 'zset', completed = 'zset', failed = 'zset' }
local PARTS = { '', ':lock', ':logs', ':dependencies', ':processed', ':failed', ':unsuccessful' }

-- A key of the queue that holds something else, or nil. Asked before the first write.
local function misplaced(prefix)
  for suffix, wanted in pairs(PLACES) do
    if not is_of_type(prefix .. suffix, wanted) then return prefix .. suffix end
  end
end

local function delete_keys(prefix, id)
  local keys = {}
  for i, part in ipairs(PARTS) do keys[i] = prefix .. id .. part end
  redis.call('DEL', unpack(keys))
end

local function take_out(prefix, id)
  if redis.call('LREM', prefix .. 'active', 1, id) > 0 then
    redis.call('SREM', prefix .. 'stalled', id)
    return 'active'
  end
  for _, place in ipairs({ 'delayed', 'prioritized', 'completed', 'failed' }) do
    if redis.call('ZREM', prefix .. place, id) > 0 then return place end
  end
  -- What was restored and is finished stood first in line: it is found near the end that jobs are taken from.
  if redis.call('LREM', prefix .. 'wait', -1, id) > 0 then return 'waiting' end
end

-- In whatever state it is, running included. True when there was such a job.
local function remove_job(prefix, id)
  if redis.call('EXISTS', prefix .. id) == 0 then return false end
  local place = take_out(prefix, id)
  delete_keys(prefix, id)
  redis.call('XADD', prefix .. 'events', '*', 'event', 'removed', 'jobId', id, 'prev', place or 'unknown')
  return true
end

-- The keys that a finished job may have.
local function delete_finished(prefix, ids)
  local keys, at = {}, 0
  for _, id in ipairs(ids) do
    local key = prefix .. id
    keys[at + 1] = key
    at = at + 2
    keys[at] = key .. ':logs'
  end
  redis.call('DEL', unpack(keys))
end

-- Jobs that are known to be in the set of completed ones.
local function remove_completed(prefix, ids)
  if #ids == 0 then return end
  redis.call('ZREM', prefix .. 'completed', unpack(ids))
  delete_finished(prefix, ids)
end
