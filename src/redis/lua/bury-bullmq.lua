-- Takes a dead job away once its letter is written (rule 14): only if it is still dead, with its ledger entry.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id, key prefix `bull:mail:`, queue, offset.
-- Returns {status, enqueued, incarnation, 1 if it was removed and 0 if it lives again}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id, prefix, queue, offset = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
if not is_of_type(prefix .. 'failed', 'zset') or redis.call('ZREM', prefix .. 'failed', id) == 0 then
  return { 'ok', enqueued, present, 0 }
end
local job = prefix .. id
redis.call('DEL', job, job .. ':logs', job .. ':lock', job .. ':dependencies', job .. ':processed', job .. ':failed',
  job .. ':unsuccessful')
redis.call('XADD', prefix .. 'events', '*', 'event', 'removed', 'jobId', id, 'prev', 'failed')
settle(base, string.format('%.0f', math.floor(offset / CHUNK)), queue, { offset % CHUNK })
return { 'ok', enqueued, present, 1 }
