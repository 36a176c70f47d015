-- Takes away the jobs that a restored Redis, or an older copy that took over, brought back although they are finished
-- (rule 6), from a chunk upwards. With the last chunk, the ledger is reconciled with the claim's incarnation, and
-- workers may run what is left.
--
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, queue prefix `bull:`, first chunk, jobs to
-- remove (the last chunk is finished beyond it), the offset below which the ranges speak,
-- then the finished ranges as start and end.
-- Returns {status, enqueued, incarnation, removed, next chunk or -1 when reconciled}.

local CHUNKS = 64
local FIRST_RANGE = 9

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, queue_prefix = ARGV[4], ARGV[5]
local first, budget, limit = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local removed = 0

-- The ranges are in order and do not touch: the last one that starts at or below the offset decides.
local function is_finished(offset)
  local low, high = 0, (#ARGV - FIRST_RANGE + 1) / 2
  while low < high do
    local middle = math.floor((low + high) / 2)
    if tonumber(ARGV[FIRST_RANGE + 2 * middle]) <= offset then low = middle + 1 else high = middle end
  end
  return low > 0 and offset < tonumber(ARGV[FIRST_RANGE + 2 * low - 1])
end

local function reconcile(chunk, queue)
  local finished = {}
  for _, slot in ipairs(redis.call('SMEMBERS', chunk_key(base, chunk, queue))) do
    local offset = tonumber(chunk) * CHUNK + tonumber(slot)
    if is_finished(offset) then
      if remove_job(queue_prefix .. queue .. ':', id_prefix .. string.format('%.0f', offset)) then removed = removed + 1 end
      finished[#finished + 1] = slot
    end
  end
  if #finished > 0 then settle(base, chunk, queue, finished) end
end

local page = redis.call('ZRANGE', base .. ':c', first, '+inf', 'BYSCORE', 'LIMIT', 0, CHUNKS + CHUNK + 1)
for _, member in ipairs(page) do
  local key = misplaced(queue_prefix .. string.match(member, '^%d+:(.*)$') .. ':')
  if key then return { 'corrupt', -1, key } end
end

local seen, position = 0, nil
for _, member in ipairs(page) do
  local chunk, queue = string.match(member, '^(%d+):(.*)$')
  if chunk ~= position then
    local is_beyond = tonumber(chunk) * CHUNK + CHUNK > limit
    if is_beyond or removed >= budget or seen >= CHUNKS then return { 'ok', enqueued, present, removed, tonumber(chunk) } end
    seen, position = seen + 1, chunk
  end
  reconcile(chunk, queue)
end
redis.call('HSET', base, 'reconciled', ARGV[2])
return { 'ok', enqueued, present, removed, -1 }
