-- The jobs of an enqueue call and nothing else: no fence, no offsets, no reading of the memory. Arguments as in
-- enqueue-bullmq.lua; the adder stands in front.
local queue_count, queues, created = tonumber(ARGV[6]), {}, 0
for i = 1, queue_count do
  queues[i] = { name = ARGV[5 + 2 * i], prefix = ARGV[6 + 2 * i] }
  new_queue(queues[i])
end
local treatments, treatment_count = {}, tonumber(ARGV[7 + 2 * queue_count])
local first = 8 + 2 * queue_count
for n = 1, treatment_count do
  local i = first + (n - 1) * 5
  treatments[tostring(n)] = { queues[tonumber(ARGV[i])], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4] }
end
local i = first + treatment_count * 5
while i <= #ARGV do
  local queue, name, opts, delay, priority = unpack(treatments[ARGV[i]])
  local offset, end_of_run = tonumber(ARGV[i + 1]), i + 3 + 3 * ARGV[i + 2]
  for at = i + 3, end_of_run - 1, 3 do
    local id = ARGV[5] .. string.format('%.0f', offset)
    if add_job(queue, id, name, ARGV[at], opts .. ARGV[at + 1] .. '}', ARGV[at + 2], delay, priority) then
      created = created + 1
    end
    offset = offset + 1
  end
  i = end_of_run
end
for i = 1, queue_count do flush_queue(queues[i]) end
return { 'ok', created }
