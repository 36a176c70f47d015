-- A job is run later: a failed one out of `retry`, another out of `schedule`.
-- KEYS: private list, sorted set. ARGV: text, key of the sources, source, day, new text, wait in ms.
-- Returns 1, or 0 where it was taken over.

local problem = misfit(KEYS[2], 'zset')
if problem then return problem end
if not is_held(KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[2], string.format('%.6f', now_seconds() + ARGV[6] / 1000), ARGV[5])
count_run(ARGV[4], true)
note_moved(ARGV[2], ARGV[3])
return 1
