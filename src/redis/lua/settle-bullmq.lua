-- Settles the jobs of one queue that are said to be finished: those that are indeed completed leave the queue with
-- their ledger entry (rule 12), those that are dead are told.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, key prefix `bull:mail:`, queue,
-- and of each chunk: its number, how many, offset..., the same offsets' slots...
-- Returns {status, enqueued, incarnation, [offset that stays unsettled...], [dead offset...]}.

local FIRST_CHUNK = 7

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, prefix, queue = ARGV[4], ARGV[5], ARGV[6]
local can_look = not misplaced(prefix)
local left, dead = {}, {}

-- 'completed' for those that have just been taken off the list: BullMQ takes a job's time away when it leaves that list.
local function state_of(id)
  local job = redis.pcall('HMGET', prefix .. id, 'name', 'finishedOn')
  if job.err or not job[1] or not job[2] then return 'other' end
  return redis.call('ZSCORE', prefix .. 'failed', id) and 'dead' or 'completed'
end

-- The ids and slots of those that had been listed, where not all had.
local function completed_of(ids, first, last)
  local completed, slots = {}, {}
  for i, id in ipairs(ids) do
    local offset, state = tonumber(ARGV[first + i - 1]), state_of(id)
    if state == 'completed' then
      completed[#completed + 1] = id
      slots[#slots + 1] = ARGV[last + i]
    else
      left[#left + 1] = offset
      if state == 'dead' then dead[#dead + 1] = offset end
    end
  end
  return completed, slots
end

local function leave_and_settle(chunk, first, last)
  local ids, slots = {}, nil
  for i = first, last do ids[#ids + 1] = id_prefix .. ARGV[i] end
  -- Mostly all of them are completed, which one call tells.
  if redis.call('ZREM', prefix .. 'completed', unpack(ids)) == #ids then
    slots = { unpack(ARGV, last + 1, last + #ids) }
  else
    ids, slots = completed_of(ids, first, last)
  end
  if #ids == 0 then return end
  delete_finished(prefix, ids)
  settle(base, chunk, queue, slots)
end

local at = FIRST_CHUNK
while ARGV[at] do
  local count = tonumber(ARGV[at + 1])
  local first, last = at + 2, at + 1 + count
  if can_look then
    leave_and_settle(ARGV[at], first, last)
  else
    for i = first, last do left[#left + 1] = tonumber(ARGV[i]) end
  end
  at = last + count + 1
end
return { 'ok', enqueued, present, left, dead }
