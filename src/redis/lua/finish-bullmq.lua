-- KEYS and ARGV[1..9]: those of BullMQ's moveToFinished. ARGV[10]: key of the sources, ARGV[11]: wait of a refused host
-- in ms, ARGV[12]: queue.
ARGV[2] = now_ms()
local result = moveToFinished(KEYS, ARGV)
local is_done = type(result) == 'table' or tonumber(result) >= 0
if is_done and ARGV[5] == 'completed' then settle_completed(ARGV[1], ARGV[12], ARGV[10]) end
return guarded(result, ARGV[7], ARGV[12], ARGV[10], ARGV[2], ARGV[8], ARGV[11])
