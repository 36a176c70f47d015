-- Moves due jobs from a sorted set to their queues. Only what is still there moves: another poller, Ruby's too, may have
-- been faster. One that cannot be read, or whose queue is none, goes to the dead set as it is.
-- KEYS: sorted set, set of queues, dead set. ARGV: key of the sources, then for each job its text as it lies there, its new
-- text, and its queue; an empty queue: it cannot be read. Returns how many were moved.

local problem = misfit(KEYS[3], 'zset')
if problem then return problem end

local moved = 0
for i = 2, #ARGV, 3 do
  local raw, text, queue = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('ZREM', KEYS[1], raw) == 1 then
    if queue == '' or not is_of_type('queue:' .. queue, 'list') then
      redis.call('ZADD', KEYS[3], string.format('%.6f', now_seconds()), raw)
    else
      redis.call('LPUSH', 'queue:' .. queue, text)
      list_queue(KEYS[2], queue)
      note_moved(ARGV[1], source_in(raw))
    end
    moved = moved + 1
  end
end
return moved
