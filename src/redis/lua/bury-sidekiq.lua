-- Settles a dead job once its letter is written (rule 14). The job itself stays in Sidekiq's set of dead jobs, as one that
-- the ledger does not know any more.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, offset, text as it was reported, text as it shall lie there.
-- Returns {status, enqueued, incarnation, 1 if it was reported dead and 0 if not}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local offset = tonumber(ARGV[4])
if redis.call('HGET', base .. ':x', ARGV[4]) ~= ARGV[5] then return { 'ok', enqueued, present, 0 } end
local died = is_of_type('dead', 'zset') and redis.call('ZSCORE', 'dead', ARGV[5])
if died then
  redis.call('ZREM', 'dead', ARGV[5])
  redis.call('ZADD', 'dead', died, ARGV[6])
end
redis.call('HDEL', base .. ':x', ARGV[4])
settle(base, string.format('%.0f', math.floor(offset / CHUNK)), 'sidekiq', { offset % CHUNK })
return { 'ok', enqueued, present, 1 }
