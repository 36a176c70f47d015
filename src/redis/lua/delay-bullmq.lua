-- A job that is tried again later makes room for the next, which is taken in the same call.
-- KEYS and ARGV[1..9]: those of BullMQ's moveToDelayed. ARGV[10]: key of the sources, ARGV[11]: wait of a refused host in
-- ms, ARGV[12]: queue.
ARGV[2] = now_ms()
return guarded(moveToDelayed(KEYS, ARGV), ARGV[1], ARGV[12], ARGV[10], ARGV[2], ARGV[9], ARGV[11])
