-- A job that its host lets go: back to where it was taken from, as if it had not been.
-- KEYS: private list, queue, set of queues. ARGV: text, key of the sources, source, name of the queue.
-- Returns 1, or 0 where it was taken over.

local problem = misfit(KEYS[2], 'list')
if problem then return problem end
if not is_held(KEYS[1], ARGV[1]) then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1])
list_queue(KEYS[3], ARGV[4])
note_moved(ARGV[2], ARGV[3])
return 1
