-- The jobs of an enqueue call and nothing else: no fence, no offsets, no reading of the memory. Arguments as in
-- enqueue-bullmq.lua; the adder stands in front.
local queue_count, queues, created = tonumber(ARGV[6]), {}, 0
for i = 1, queue_count do
  queues[i] = { name = ARGV[5 + 2 * i], prefix = ARGV[6 + 2 * i] }
  new_queue(queues[i])
end
for i = 7 + 2 * queue_count, #ARGV, 8 do
  local queue = queues[tonumber(ARGV[i + 1])]
  if add_job(queue, ARGV[5] .. ARGV[i], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], ARGV[i + 6], ARGV[i + 7]) then
    created = created + 1
  end
end
for i = 1, queue_count do flush_queue(queues[i]) end
return { 'ok', created }
