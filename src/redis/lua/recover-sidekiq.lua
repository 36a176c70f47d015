-- Puts back what hosts held that are gone, the oldest to be taken first, and counts how often that happened to each job,
-- by its text. One that it has happened to too often stays for the caller to bury.
-- Where a queue is no list, its jobs wait in their private lists.
-- KEYS: set of private lists, set of queues. ARGV: key of the sources, prefix of the signs of life, prefix of the counts,
-- how long they are kept in seconds, most recoveries of a job.
-- Returns {recovered, then for each job that stays its queue, its private list and its text}.

local sources, alive_prefix, count_prefix = ARGV[1], ARGV[2], ARGV[3]
local kept_seconds, most = ARGV[4], tonumber(ARGV[5])
local reply = { 0 }

local function recover_next(private, queue)
  local raw = redis.call('LINDEX', private, 0)
  local count = count_prefix .. redis.sha1hex(raw)
  if tonumber(redis.call('GET', count) or 0) >= most then
    redis.call('LMOVE', private, private, 'LEFT', 'RIGHT')
    for _, each in ipairs({ queue, private, raw }) do reply[#reply + 1] = each end
    return
  end
  redis.call('LMOVE', private, 'queue:' .. queue, 'LEFT', 'RIGHT')
  list_queue(KEYS[2], queue)
  redis.call('INCR', count)
  redis.call('EXPIRE', count, kept_seconds)
  note_moved(sources, source_in(raw))
  reply[1] = reply[1] + 1
end

local alive = {}
local function is_alive(owner)
  if alive[owner] == nil then alive[owner] = redis.call('EXISTS', alive_prefix .. owner) == 1 end
  return alive[owner]
end

for _, private in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local queue, owner = string.match(private, '^work:(.*):([^:]*:%d+:%x+)$')
  local is_fit = owner and is_of_type(private, 'list') and is_of_type('queue:' .. queue, 'list')
  if is_fit and not is_alive(owner) then
    for _ = 1, redis.call('LLEN', private) do recover_next(private, queue) end
    if redis.call('EXISTS', private) == 0 then redis.call('SREM', KEYS[1], private) end
  end
end
return reply
