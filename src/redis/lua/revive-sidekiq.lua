-- Puts a job that was lost back on its queue, or into the schedule, if the ledger still waits for it.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, offset, queue, text, time in seconds at which it is due or ''.
-- Returns {status, enqueued, incarnation, 1 if it was put back and 0 if it is finished}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local offset, queue = tonumber(ARGV[4]), ARGV[5]
local key = chunk_key(base, string.format('%.0f', math.floor(offset / CHUNK)), 'sidekiq')
local due = ARGV[7]
local is_fit = is_of_type('queues', 'set') and is_of_type('queue:' .. queue, 'list') and is_of_type('schedule', 'zset')
if not is_fit or redis.call('SISMEMBER', key, offset % CHUNK) == 0 then return { 'ok', enqueued, present, 0 } end
if due ~= '' then
  redis.call('ZADD', 'schedule', due, ARGV[6])
else
  redis.call('SADD', 'queues', queue)
  redis.call('LPUSH', 'queue:' .. queue, ARGV[6])
end
return { 'ok', enqueued, present, 1 }
