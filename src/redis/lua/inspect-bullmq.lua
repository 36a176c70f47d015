-- Looks at unsettled offsets from a chunk upwards and settles those whose job is completed or gone (rule 12).
-- Whole chunks are looked at, over all their queues, so that the answer speaks for a range without holes.
--
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, queue prefix `bull:`, first chunk,
-- jobs to look at (the last chunk is finished beyond it).
-- Returns {status, enqueued, incarnation, end (looked at every offset of [first chunk * 512, end)),
--          completed, gone, [unsettled offset...], [dead offset, queue, ...]}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, queue_prefix, first, budget = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local completed, gone = 0, 0
local unsettled, dead = {}, {}
-- Chunk, queue and slots of each: what is gone through stays as it is meanwhile.
local to_settle = {}

-- 'waiting' stands for every state that is not final.
local function state_of(prefix, id)
  local job = redis.pcall('HMGET', prefix .. id, 'name', 'finishedOn')
  if job.err then return 'waiting' end
  if not job[1] then return 'gone' end
  if not job[2] then return 'waiting' end
  if redis.call('ZSCORE', prefix .. 'failed', id) then return 'dead' end
  return redis.call('ZSCORE', prefix .. 'completed', id) and 'completed' or 'waiting'
end

local function keep(offset, queue, state)
  unsettled[#unsettled + 1] = tonumber(offset)
  if state ~= 'dead' then return end
  dead[#dead + 1] = offset
  dead[#dead + 1] = queue
end

local function look_at(chunk, queue)
  local prefix = queue_prefix .. queue .. ':'
  local can_look = not misplaced(prefix)
  local slots = redis.call('SMEMBERS', chunk_key(base, chunk, queue))
  local settled, done = {}, {}
  for _, slot in ipairs(slots) do
    local offset = string.format('%.0f', tonumber(chunk) * CHUNK + tonumber(slot))
    local id = id_prefix .. offset
    local state = can_look and state_of(prefix, id) or 'waiting'
    if state == 'completed' then done[#done + 1] = id elseif state == 'gone' then gone = gone + 1 end
    if state == 'completed' or state == 'gone' then
      settled[#settled + 1] = slot
    else
      keep(offset, queue, state)
    end
  end
  completed = completed + #done
  remove_completed(prefix, done)
  if #settled > 0 or #slots == 0 then
    to_settle[#to_settle + 1] = { chunk, queue, #settled > 0 and settled or { -1 } }
  end
  return #slots
end

local looked, position, stop = 0, nil, nil
for member, chunk in members_from(base, first) do
  if looked >= budget and chunk ~= position then
    stop = tonumber(chunk)
    break
  end
  position = chunk
  looked = looked + math.max(1, look_at(chunk, string.match(member, '^%d+:(.*)$')))
end
for _, each in ipairs(to_settle) do settle(base, unpack(each)) end

local limit = enqueued + 1
if stop then limit = math.min(limit, stop * CHUNK) end
return { 'ok', enqueued, present, limit, completed, gone, unsettled, dead }
