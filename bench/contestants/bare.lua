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
for i = first + treatment_count * 5, #ARGV, 5 do
  local queue, name, opts, delay, priority = unpack(treatments[ARGV[i + 1]])
  if add_job(queue, ARGV[5] .. ARGV[i], name, ARGV[i + 2], opts .. ARGV[i + 3] .. '}', ARGV[i + 4], delay, priority) then
    created = created + 1
  end
end
for i = 1, queue_count do flush_queue(queues[i]) end
return { 'ok', created }
