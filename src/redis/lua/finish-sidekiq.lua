-- A job is done: it goes, is counted, and its ledger's entry goes with it.
-- KEYS: private list. ARGV: text, key of the sources, source, day. Returns 1, or 0 where it was taken over.

if not is_held(KEYS[1], ARGV[1]) then return 0 end
count_run(ARGV[4], false)
if ARGV[3] ~= '' then settle_completed(ARGV[3], LABEL, ARGV[2]) end
return 1
