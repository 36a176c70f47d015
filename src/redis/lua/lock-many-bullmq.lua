-- Locks jobs that were taken without a lock (take-many-bullmq.lua), and writes what was not written then: since when they run,
-- and that it is their first run. A job that is not this host's any more is left as it is: others have moved it (which
-- leaves a count in it), hold its lock, or it ended; or it was made again after a loss of Redis, which took the note of its
-- taking along.
--
-- KEYS: active, takings. ARGV: key prefix `bull:mail:`, time of the locks in ms, then for each job {id, token, when it was taken
-- in ms}.
-- Returns for each job 1, or 0 where it is not this host's. An error of one job's keys reads as 0.

local FIRST_JOB, JOB_FIELDS = 3, 3
-- Fewer are looked for in `active` one by one.
local MANY = 8
local call = redis.call
local active, takings, prefix, lock_ms = KEYS[1], KEYS[2], ARGV[1], ARGV[2]

local all_active
if #ARGV >= FIRST_JOB + MANY * JOB_FIELDS then
  all_active = {}
  for _, id in ipairs(call('LRANGE', active, 0, -1)) do all_active[id] = true end
end

local function is_active(id)
  if all_active then return all_active[id] end
  return call('LPOS', active, id, 'RANK', '-1')
end

local function is_as_taken(job)
  local known = redis.pcall('HMGET', job, 'name', 'ats', 'stc')
  return not known.err and known[1] and not known[2] and not known[3]
end

local is_noted = {}
local function is_of_this_history(token)
  if is_noted[token] == nil then is_noted[token] = call('ZSCORE', takings, token) ~= false end
  return is_noted[token]
end

local function lock(id, token, taken_at)
  local job = prefix .. id
  local holder = redis.pcall('GET', job .. ':lock')
  local is_locked = holder == token
  if not is_locked and (holder or not is_of_this_history(token) or not is_active(id) or not is_as_taken(job)) then return 0 end
  call('SET', job .. ':lock', token, 'PX', lock_ms)
  if is_locked then return 1 end
  call('HSET', job, 'processedOn', taken_at, 'ats', '1')
  return 1
end

local reply = {}
for at = FIRST_JOB, #ARGV, JOB_FIELDS do reply[#reply + 1] = lock(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
return reply
