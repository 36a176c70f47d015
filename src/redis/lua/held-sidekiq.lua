-- What every script has that ends the run of a job on a Sidekiq queue. A job that runs lies in its host's private list; one
-- that is there no more was taken over by somebody else, and nothing may happen to it.

-- Where the ledger keeps the jobs of all Sidekiq queues.
local LABEL = 'sidekiq'
local STATS_SECONDS = 5 * 365 * 24 * 3600

local function is_held(private, raw)
  return redis.call('LREM', private, 1, raw) == 1
end

-- Nothing may be written before: a Lua error rolls nothing back, and the job would be nowhere.
local function misfit(key, wanted)
  if not is_of_type(key, wanted) then return redis.error_reply('WRONGTYPE ' .. key .. ' is no ' .. wanted) end
end

local function list_queue(queues, name)
  redis.pcall('SADD', queues, name)
end

-- As Sidekiq counts: a run that failed is processed too. `day` is empty where nothing is to be counted. Never an error: a
-- counter that counts no more must not keep a job from its end.
local function count_run(day, is_failed)
  if day == '' then return end
  local names = is_failed and { 'stat:processed', 'stat:failed' } or { 'stat:processed' }
  for _, name in ipairs(names) do
    redis.pcall('INCR', name)
    if redis.pcall('INCR', name .. ':' .. day) == 1 then redis.call('EXPIRE', name .. ':' .. day, STATS_SECONDS) end
  end
end

local function now_seconds()
  local time = redis.call('TIME')
  return time[1] + time[2] / 1000000
end

-- Ours is the last field, whatever the arguments hold. Empty for a job that no bridge waits for.
local function source_in(raw)
  if not string.find(raw, '"sl":{"source":"', 1, true) then return '' end
  return string.match(raw, '^.*"sl":{"source":"([^"]*)"') or ''
end

-- `source` is empty for a job that did not come from Kafka.
local function entries_in(sources, source)
  if source == '' then return {}, 0 end
  return entries_of(sources, LABEL, source)
end

local function offset_of(source)
  return string.match(source, '(%d+)$')
end

-- The bridge looks for lost jobs, and must not take one for lost that changes its place.
local function note_moved(sources, source)
  for _, entry in ipairs(entries_in(sources, source)) do
    redis.pcall('SADD', entry.base .. ':m', offset_of(source))
  end
end

-- The bridge writes the letter, and settles then.
local function report_dead(sources, source, text)
  for _, entry in ipairs(entries_in(sources, source)) do
    redis.pcall('HSET', entry.base .. ':x', offset_of(source), text)
  end
end
