-- Adds one batch of a partition's jobs to Sidekiq queues, or to the schedule, and advances the ledger, all or nothing
-- (rule 10). Jobs at or below `enqueued` are skipped: an earlier try of the same batch made them.
-- Source: Sidekiq's client.rb (raw_push).
--
-- KEYS: ledger.
-- ARGV: owner, incarnation, expected offset, offset to advance to, 1 when a job's end is waited for and 0 when its record
--       is finished by being here, then for each place {queue, time in seconds at which a job there is due or '': now,
--       the offsets of its jobs in order, as `1-3,7-7`, number of jobs, their texts}.
-- Returns {status, enqueued, incarnation, used memory, created, 0, longest queue touched}
--      or {'refused', enqueued, queue, why}.

local FIRST_PLACE, PLACE_FIELDS = 6, 4
local LABEL = 'sidekiq'

local base = KEYS[1]
local last, is_tracked = tonumber(ARGV[4]), ARGV[5] == '1'

local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local places, next_place = {}, FIRST_PLACE
while next_place <= #ARGV do
  local at, count = next_place, tonumber(ARGV[next_place + 3])
  places[#places + 1] = { queue = ARGV[at], due = ARGV[at + 1], offsets = ARGV[at + 2], text = at + PLACE_FIELDS, count = count }
  next_place = at + PLACE_FIELDS + count
end

local function wrong_type()
  if not is_of_type('queues', 'set') then return 'queues', 'queues' end
  if not is_of_type('schedule', 'zset') then return 'schedule', 'schedule' end
  for _, place in ipairs(places) do
    local key = 'queue:' .. place.queue
    if not is_of_type(key, 'list') then return place.queue, key end
  end
end

local queue, key = wrong_type()
if key then return { 'refused', enqueued, queue, 'wrong-type ' .. key } end
if last <= enqueued then return { 'ok', enqueued, present, used_memory(), 0, 0, 0 } end

local chunks = {}

local function enter(from, to)
  for offset = from, to do
    local slot = offset % CHUNK
    local chunk = (offset - slot) / CHUNK
    local slots = chunks[chunk]
    if slots == nil then
      slots = {}
      chunks[chunk] = slots
    end
    slots[#slots + 1] = slot
  end
end

-- How many of a place's jobs are there already: they come first.
local function skipped(offsets)
  local count = 0
  for from, to in string.gmatch(offsets, '(%d+)%-(%d+)') do
    from, to = tonumber(from), tonumber(to)
    local fresh = math.max(from, enqueued + 1)
    count = count + math.min(fresh, to + 1) - from
    if is_tracked and fresh <= to then enter(fresh, to) end
  end
  return count
end

local created, longest = 0, 0
for _, place in ipairs(places) do
  local from, to = place.text + skipped(place.offsets), place.text + place.count - 1
  created = created + to - from + 1
  if from <= to and place.due == '' then
    redis.call('SADD', 'queues', place.queue)
    longest = math.max(longest, redis.call('LPUSH', 'queue:' .. place.queue, unpack(ARGV, from, to)))
  else
    for i = from, to do redis.call('ZADD', 'schedule', place.due, ARGV[i]) end
  end
end
if is_tracked then
  for chunk, slots in pairs(chunks) do
    local text = string.format('%.0f', chunk)
    redis.call('SADD', chunk_key(base, text, LABEL), unpack(slots))
    redis.call('ZADD', base .. ':c', chunk, text .. ':' .. LABEL)
  end
end
redis.call('HSET', base, 'enqueued', ARGV[4])
return { 'ok', last, present, used_memory(), created, 0, longest }
