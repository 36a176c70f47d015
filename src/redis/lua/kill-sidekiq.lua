-- A job will not run again: into the dead set, which is trimmed as Sidekiq trims it, or nowhere. One from Kafka is told to
-- the bridge either way.
-- KEYS: private list, dead set. ARGV: text, key of the sources, source, day, text of the dead job, 1 if it is kept.
-- Returns 1, or 0 where it was taken over.

local KEPT_SECONDS = 15552000
local KEPT_JOBS = 10000

local problem = ARGV[6] == '1' and misfit(KEYS[2], 'zset')
if problem then return problem end
if not is_held(KEYS[1], ARGV[1]) then return 0 end
if ARGV[6] == '1' then
  local now = now_seconds()
  redis.call('ZADD', KEYS[2], string.format('%.6f', now), ARGV[5])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.6f', now - KEPT_SECONDS))
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -KEPT_JOBS)
end
count_run(ARGV[4], true)
report_dead(ARGV[2], ARGV[3], ARGV[5])
return 1
