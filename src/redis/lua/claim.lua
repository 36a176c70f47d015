-- Makes the caller the owner of a partition's ledger (rule 3). Safe to repeat, with a new token each time.
-- KEYS: ledger. ARGV: token, job id prefix.
-- Returns {status, enqueued or -1, incarnation, reconciled incarnation or ''}.

local base = KEYS[1]
for _, key in ipairs({ base, sources_key(base) }) do
  if not is_of_type(key, 'hash') then return { 'corrupt', -1, key, '' } end
end

local fields = redis.call('HMGET', base, 'enqueued', 'reconciled')
redis.call('HSET', sources_key(base), ARGV[2], base)
redis.call('HSET', base, 'owner', ARGV[1])
return { 'ok', tonumber(fields[1] or '-1'), incarnation(), fields[2] or '' }
