-- Takes a dead job away once its letter is written (rule 14): only if it is still dead, with its ledger entry.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id, key prefix `bull:mail:`, queue, offset.
-- Returns {status, enqueued, incarnation, 1 if it was removed and 0 if it lives again}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id, prefix, queue, offset = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
if misplaced(prefix) or not redis.call('ZSCORE', prefix .. 'failed', id) then
  return { 'ok', enqueued, present, 0 }
end
remove_job(prefix, id)
settle(base, string.format('%.0f', math.floor(offset / CHUNK)), queue, { offset % CHUNK })
return { 'ok', enqueued, present, 1 }
