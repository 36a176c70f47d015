-- What a partition's ledger holds, for commands and pages: reads only, and claims nothing.
-- KEYS: ledger. Returns {status, enqueued or -1, generation, number of unsettled offsets, lowest unsettled or -1}.

local base = KEYS[1]
if not is_of_type(base, 'hash') or not is_of_type(base .. ':c', 'zset') then return { 'corrupt', -1, 0, 0, -1 } end

local fields = redis.call('HMGET', base, 'enqueued', 'generation')
local count, lowest, first = 0, -1, nil
for _, member in ipairs(redis.call('ZRANGE', base .. ':c', 0, -1)) do
  local chunk, queue = string.match(member, '^(%d+):(.*)$')
  local key = chunk_key(base, chunk, queue)
  count = count + redis.call('SCARD', key)
  first = first or chunk
  if chunk == first then
    for _, slot in ipairs(redis.call('SMEMBERS', key)) do
      local offset = tonumber(chunk) * CHUNK + tonumber(slot)
      if lowest < 0 or offset < lowest then lowest = offset end
    end
  end
end
return { 'ok', tonumber(fields[1] or '-1'), tonumber(fields[2] or '0'), count, lowest }
