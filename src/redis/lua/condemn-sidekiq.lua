-- Reports a job that lies dead without a word of who killed it, such as an operator, and lets it lie there as one that the
-- ledger does not know any more.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, offset, text, text as it shall lie there.
-- Returns {status, enqueued, incarnation, 1 if it was reported and 0 if nobody waits for it}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local offset = tonumber(ARGV[4])
local key = chunk_key(base, string.format('%.0f', math.floor(offset / CHUNK)), 'sidekiq')
local died = redis.call('ZSCORE', 'dead', ARGV[5])
if not died or redis.call('SISMEMBER', key, offset % CHUNK) == 0 then return { 'ok', enqueued, present, 0 } end
redis.call('HSETNX', base .. ':x', ARGV[4], ARGV[5])
redis.call('ZREM', 'dead', ARGV[5])
redis.call('ZADD', 'dead', died, ARGV[6])
return { 'ok', enqueued, present, 1 }
