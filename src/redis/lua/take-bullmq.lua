-- KEYS and ARGV[1..3]: those of BullMQ's moveToActive. ARGV[4]: key of the sources, ARGV[5]: wait of a refused host in ms,
-- ARGV[6]: queue.
ARGV[2] = now_ms()
return guarded(moveToActive(KEYS, ARGV), ARGV[1], ARGV[6], ARGV[4], ARGV[2], ARGV[3], ARGV[5])
