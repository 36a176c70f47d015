-- Takes away the jobs that a restored Redis, or an older copy that took over, brought back although they are finished
-- (rule 6), from a chunk upwards. With the last chunk, the ledger is reconciled with the claim's incarnation, and
-- workers may run what is left. `misplaced` and `remove_job` come from what stands in front: remove-bullmq.lua, or
-- remove-sidekiq.lua.
--
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, queue prefix `bull:`, first chunk, the offset
-- below which the ranges speak, then the finished ranges as start and end.
-- Returns {status, enqueued, incarnation, removed, next chunk or -1 when reconciled}. Stops after a while: what was done is
-- not found again.

-- More than a chunk can have, which is one a queue.
local PAGE = 640
local LONGEST_USEC = 20000
local FIRST_RANGE = 8

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, queue_prefix = ARGV[4], ARGV[5]
local first, limit = tonumber(ARGV[6]), tonumber(ARGV[7])
local removed = 0

local function now_usec()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local started = now_usec()
local function is_long() return now_usec() - started > LONGEST_USEC end

-- The ranges are in order and do not touch: the last one that starts at or below the offset decides.
local function is_finished(offset)
  local low, high = 0, (#ARGV - FIRST_RANGE + 1) / 2
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(ARGV[FIRST_RANGE + 2 * middle]) <= offset then low = middle + 1 else high = middle end
  end
  return low > 0 and offset < tonumber(ARGV[FIRST_RANGE + 2 * low - 1])
end

-- False when there was no time for all of it.
local function reconcile(chunk, queue)
  local finished, is_through = {}, true
  for _, slot in ipairs(redis.call('SMEMBERS', chunk_key(base, chunk, queue))) do
    local offset = tonumber(chunk) * CHUNK + tonumber(slot)
    if is_finished(offset) then
      if remove_job(queue_prefix .. queue .. ':', id_prefix .. string.format('%.0f', offset)) then removed = removed + 1 end
      finished[#finished + 1] = slot
      is_through = not is_long()
      if not is_through then break end
    end
  end
  if #finished > 0 then settle(base, chunk, queue, finished) end
  return is_through
end

local page = redis.call('ZRANGE', base .. ':c', first, '+inf', 'BYSCORE', 'LIMIT', 0, PAGE)
local known = {}
for _, member in ipairs(page) do
  local queue = string.match(member, '^%d+:(.*)$')
  local key = not known[queue] and misplaced(queue_prefix .. queue .. ':')
  known[queue] = true
  if key then return { 'corrupt', -1, key } end
end

local position = nil
for _, member in ipairs(page) do
  local chunk, queue = string.match(member, '^(%d+):(.*)$')
  local is_beyond = tonumber(chunk) * CHUNK + CHUNK > limit
  local is_late = position and chunk ~= position and is_long()
  position = chunk
  if is_beyond or is_late or not reconcile(chunk, queue) then
    return { 'ok', enqueued, present, removed, tonumber(chunk) }
  end
end
if #page == PAGE then
  return { 'ok', enqueued, present, removed, tonumber(string.match(page[#page], '^(%d+):')) }
end
redis.call('HSET', base, 'reconciled', ARGV[2])
return { 'ok', enqueued, present, removed, -1 }
