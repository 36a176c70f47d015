-- A host's sign of life, its place among Sidekiq's processes and what it runs; takes what an operator wants of it. A script,
-- because a host has to be seen alive while Redis is full, or its jobs would be taken from it.
-- KEYS: sign of life, set of processes, the process, its signals, then where its work is told.
-- ARGV: identity, ms that the sign lasts, seconds that the rest does, number of fields F, then F names and values, then for
-- each job its thread and what is told of it. Returns the signal or nil.

local identity, fields = ARGV[1], tonumber(ARGV[4])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
redis.call('SADD', KEYS[2], identity)
redis.call('HSET', KEYS[3], unpack(ARGV, 5, 4 + 2 * fields))
redis.call('EXPIRE', KEYS[3], ARGV[3])
for i = 5, #KEYS do
  redis.call('UNLINK', KEYS[i])
  for j = 5 + 2 * fields, #ARGV, 2 do redis.call('HSET', KEYS[i], ARGV[j], ARGV[j + 1]) end
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return redis.call('RPOP', KEYS[4])
