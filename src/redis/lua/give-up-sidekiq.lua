-- Reports a job that was lost and cannot be made again.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, offset, text that stands for the job.
-- Returns {status, enqueued, incarnation, 1 if it was reported and 0 if nobody waits for it}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local offset = tonumber(ARGV[4])
local key = chunk_key(base, string.format('%.0f', math.floor(offset / CHUNK)), 'sidekiq')
if redis.call('SISMEMBER', key, offset % CHUNK) == 0 then return { 'ok', enqueued, present, 0 } end
redis.call('HSETNX', base .. ':x', ARGV[4], ARGV[5])
return { 'ok', enqueued, present, 1 }
