-- Adds one batch of a partition's jobs to Sidekiq queues, or to the schedule, and advances the ledger, all or nothing
-- (rule 10). Jobs at or below `enqueued` are skipped: an earlier try of the same batch made them.
-- Source: Sidekiq's client.rb (raw_push).
--
-- KEYS: ledger.
-- ARGV: owner, incarnation, expected offset, offset to advance to, 1 when a job's end is waited for and 0 when its record
--       is finished by being here, number of queues Q, then Q names,
--       then per job {offset, queue (1..Q), time in seconds at which it is due or '', text}.
-- Returns {status, enqueued, incarnation, used memory, created, 0, longest queue touched}
--      or {'refused', enqueued, queue, why}.

local JOB_FIELDS = 4
local LABEL = 'sidekiq'

local base = KEYS[1]
local last, is_tracked, queue_count = tonumber(ARGV[4]), ARGV[5] == '1', tonumber(ARGV[6])

local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local function wrong_type()
  if not is_of_type('queues', 'set') then return 'queues', 'queues' end
  if not is_of_type('schedule', 'zset') then return 'schedule', 'schedule' end
  for i = 1, queue_count do
    local name = ARGV[6 + i]
    if not is_of_type('queue:' .. name, 'list') then return name, 'queue:' .. name end
  end
end

local queue, key = wrong_type()
if key then return { 'refused', enqueued, queue, 'wrong-type ' .. key } end
if last <= enqueued then return { 'ok', enqueued, present, used_memory(), 0, 0, 0 } end

local texts, chunks, created = {}, {}, 0
for i = 7 + queue_count, #ARGV, JOB_FIELDS do
  local offset, due = tonumber(ARGV[i]), ARGV[i + 2]
  if offset > enqueued then
    created = created + 1
    if due ~= '' then
      redis.call('ZADD', 'schedule', due, ARGV[i + 3])
    else
      local of = tonumber(ARGV[i + 1])
      texts[of] = texts[of] or {}
      texts[of][#texts[of] + 1] = ARGV[i + 3]
    end
    local slot = offset % CHUNK
    local chunk = (offset - slot) / CHUNK
    chunks[chunk] = chunks[chunk] or {}
    chunks[chunk][#chunks[chunk] + 1] = slot
  end
end

local longest = 0
for of, pushed in pairs(texts) do
  local name = ARGV[6 + of]
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
