-- Adds one batch of a partition's jobs to Sidekiq queues, or to the schedule, and advances the ledger, all or nothing
-- (rule 10). Jobs at or below `enqueued` are skipped: an earlier try of the same batch made them.
-- Source: Sidekiq's client.rb (raw_push).
--
-- KEYS: ledger.
-- ARGV: owner, incarnation, expected offset, offset to advance to, 1 when a job's end is waited for and 0 when its record
--       is finished by being here, number of places P, then P times {queue, time in seconds at which a job there is due
--       or '': now}, then per job {offset, place (1..P), text}.
-- Returns {status, enqueued, incarnation, used memory, created, 0, longest queue touched}
--      or {'refused', enqueued, queue, why}.

local JOB_FIELDS = 3
local LABEL = 'sidekiq'

local base = KEYS[1]
local last, is_tracked, place_count = tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])

local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local function wrong_type()
  if not is_of_type('queues', 'set') then return 'queues', 'queues' end
  if not is_of_type('schedule', 'zset') then return 'schedule', 'schedule' end
  for i = 1, place_count do
    local name = ARGV[5 + 2 * i]
    if not is_of_type('queue:' .. name, 'list') then return name, 'queue:' .. name end
  end
end

local queue, key = wrong_type()
if key then return { 'refused', enqueued, queue, 'wrong-type ' .. key } end
if last <= enqueued then return { 'ok', enqueued, present, used_memory(), 0, 0, 0 } end

local texts, chunks, created = {}, {}, 0
for i = 7 + 2 * place_count, #ARGV, JOB_FIELDS do
  local offset, place, text = tonumber(ARGV[i]), 2 * ARGV[i + 1], ARGV[i + 2]
  if offset > enqueued then
    created = created + 1
    local name, due = ARGV[5 + place], ARGV[6 + place]
    if due ~= '' then
      redis.call('ZADD', 'schedule', due, text)
    else
      local pushed = texts[name]
      if pushed == nil then
        pushed = {}
        texts[name] = pushed
      end
      pushed[#pushed + 1] = text
    end
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

local longest = 0
for name, pushed in pairs(texts) do
  redis.call('SADD', 'queues', name)
  longest = math.max(longest, redis.call('LPUSH', 'queue:' .. name, unpack(pushed)))
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
