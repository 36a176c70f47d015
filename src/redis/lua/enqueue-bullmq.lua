-- Adds one batch of a partition's jobs to BullMQ queues, records their offsets and advances the ledger, all or
-- nothing (rule 10). Jobs at or below `enqueued` are skipped: an earlier try of the same batch made them.
--
-- KEYS: ledger.
-- ARGV: owner, incarnation, expected offset, offset to advance to, job id prefix, number of queues Q,
--       then Q times {name, key prefix `bull:mail:`}, number of treatments T,
--       then T times {queue (1..Q), name, opts up to what is about the one job, delay, priority; '' for a field to go without},
--       then for each run of jobs with neighbouring offsets and one treatment {treatment (1..T), first offset, number of
--       jobs, then per job {data, the rest of opts but its `}`, timestamp}}.
-- Returns {status, enqueued, incarnation, used memory, created, already there, longest queue touched}
--      or {'refused', enqueued, queue, why}.
--
-- `new_queue(prefix)`, `add_job(queue, id, name, data, opts, timestamp, delay, priority)` and `flush_queue(queue)`
-- come from the adder that is put in front: add-bullmq.lua, or BullMQ's own scripts where that one is untested.

local TREATMENT_FIELDS, RUN_FIELDS, JOB_FIELDS = 5, 3, 3

local base = KEYS[1]
local owner, expected_incarnation, expected, last = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local id_prefix, queue_count = ARGV[5], tonumber(ARGV[6])

local refused, enqueued, present = refusal(base, owner, expected_incarnation, expected)
if refused then return refused end

local queues = {}
for i = 1, queue_count do queues[i] = { name = ARGV[5 + 2 * i], prefix = ARGV[6 + 2 * i], chunks = {} } end

local treatments, treatment_count = {}, tonumber(ARGV[7 + 2 * queue_count])
local first = 8 + 2 * queue_count
for n = 1, treatment_count do
  local i = first + (n - 1) * TREATMENT_FIELDS
  local queue, delay, priority = queues[tonumber(ARGV[i])], ARGV[i + 3], ARGV[i + 4]
  queue.takes_delayed = queue.takes_delayed or (delay ~= '0' and delay ~= '')
  queue.takes_prioritized = queue.takes_prioritized or (priority ~= '0' and priority ~= '')
  treatments[tostring(n)] = { queue = queue, name = ARGV[i + 1], opts = ARGV[i + 2], delay = delay, priority = priority }
end

for i = 1, queue_count do
  local why = queue_refusal(queues[i])
  if why then return { 'refused', enqueued, queues[i].name, why } end
end
if last <= enqueued then return { 'ok', enqueued, present, used_memory(), 0, 0, 0 } end

for i = 1, queue_count do new_queue(queues[i]) end
local created, existed = 0, 0

local function enter(queue, offset)
  local slot = offset % CHUNK
  local chunk = (offset - slot) / CHUNK
  local members = queue.chunks[chunk]
  if members == nil then
    members = {}
    queue.chunks[chunk] = members
  end
  members[#members + 1] = slot
end

local i = first + treatment_count * TREATMENT_FIELDS
while i <= #ARGV do
  local how, offset = treatments[ARGV[i]], tonumber(ARGV[i + 1])
  local queue, end_of_run = how.queue, i + RUN_FIELDS + JOB_FIELDS * ARGV[i + 2]
  for at = i + RUN_FIELDS, end_of_run - 1, JOB_FIELDS do
    if offset > enqueued then
      local id, opts = id_prefix .. string.format('%d', offset), how.opts .. ARGV[at + 1] .. '}'
      if add_job(queue, id, how.name, ARGV[at], opts, ARGV[at + 2], how.delay, how.priority) then
        created = created + 1
      else
        existed = existed + 1
      end
      enter(queue, offset)
    end
    offset = offset + 1
  end
  i = end_of_run
end

local chunks = {}
for i = 1, queue_count do
  local queue = queues[i]
  for chunk, members in pairs(queue.chunks) do
    local text, at = string.format('%.0f', chunk), #chunks
    redis.call('SADD', chunk_key(base, text, queue.name), unpack(members))
    chunks[at + 1], chunks[at + 2] = chunk, text .. ':' .. queue.name
  end
end
if #chunks > 0 then redis.call('ZADD', base .. ':c', unpack(chunks)) end

local longest = 0
for i = 1, queue_count do longest = math.max(longest, flush_queue(queues[i])) end
redis.call('HSET', base, 'enqueued', ARGV[4])
return { 'ok', last, present, used_memory(), created, existed, longest }
