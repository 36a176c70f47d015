-- Begins a new account of the jobs that move, for a search for lost ones. Of its owner's alone: another's search would take
-- what moves for lost.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset. Returns {status, enqueued, incarnation, 1}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

redis.call('UNLINK', base .. ':m')
return { 'ok', enqueued, present, 1 }
