-- The ledger's entries of one job, for the scripts of Sluice's own hosts.

-- By the look of its id, which is all that costs nothing.
local function is_from_kafka(id)
  local first, second = string.byte(id, 1, 2)
  return first == 107 and second == 126
end

-- The prefix and the offset of a job's id, or nil. Jobs of one partition come one after the other: the last prefix is tried
-- first, which makes no string.
local last_source, last_length = '', 0
local function source_and_offset(id)
  if last_length > 0 and string.find(id, last_source, 1, true) == 1 and string.find(id, '^%d+$', last_length + 1) then
    return last_source, string.sub(id, last_length + 1)
  end
  local source, offset = string.match(id, '^(k~.*~)(%d+)$')
  if source then last_source, last_length = source, #source end
  return source, offset
end

-- The ledgers that hold this job as unsettled, each with its chunk and slot; and how many ledgers it could be entered in.
-- An error reads as none: something has been written.
local function entries_of(sources, queue, id)
  local source, offset = string.match(id, '^(k~.*~)(%d+)$')
  if not source then return {}, 0 end
  local slot = tonumber(offset) % CHUNK
  local chunk = string.format('%.0f', (tonumber(offset) - slot) / CHUNK)
  local bases = redis.pcall('SMEMBERS', sources .. ':' .. source)
  local entries = {}
  for _, base in ipairs(bases.err and {} or bases) do
    local key = chunk_key(base, chunk, queue)
    if redis.pcall('SISMEMBER', key, slot) == 1 then
      entries[#entries + 1] = { base = base, chunk = chunk, slot = slot, key = key }
    end
  end
  return entries, #bases
end

-- The half of the incarnation that is cheap to ask, once a call: it changes with a restart and with a failover alike.
local replid
local function present_replid()
  replid = replid or string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
  return replid
end

local function is_ledger_reconciled(base)
  local reconciled = redis.pcall('HGET', base, 'reconciled')
  return type(reconciled) == 'string' and string.match(reconciled, '%.(%w+)$') == present_replid()
end

local function is_reconciled(entries)
  for _, entry in ipairs(entries) do
    if not is_ledger_reconciled(entry.base) then return false end
  end
  return true
end

-- Hosts' clocks do not matter: a retry on a host that is an hour ahead would be due in an hour.
local function now_ms()
  local time = redis.call('TIME')
  return string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end

-- Never an error: the job is finished already. An entry that stays is found by the bridge. The chunk is noted, so that the
-- bridge sees at once where something has changed.
local function settle_completed(id, queue, sources)
  for _, entry in ipairs(entries_of(sources, queue, id)) do
    redis.pcall('SREM', entry.key, entry.slot)
    if redis.call('EXISTS', entry.key) == 0 then redis.pcall('ZREM', entry.base .. ':c', entry.chunk .. ':' .. queue) end
    redis.pcall('SADD', entry.base .. ':d', entry.chunk)
  end
end

-- The same for many jobs, by the source and the offset of each: one removal for each chunk of a ledger.
local function settle_many(sources_of, offsets_of, queue, sources)
  local by_source = {}
  for i, source in ipairs(sources_of) do
    local chunks = by_source[source] or {}
    by_source[source] = chunks
    local slot = offsets_of[i] % CHUNK
    local chunk = (offsets_of[i] - slot) / CHUNK
    local slots = chunks[chunk] or {}
    chunks[chunk] = slots
    slots[#slots + 1] = slot
  end
  for source, chunks in pairs(by_source) do
    local bases = redis.pcall('SMEMBERS', sources .. ':' .. source)
    for _, base in ipairs(bases.err and {} or bases) do
      for chunk, slots in pairs(chunks) do
        local text = string.format('%.0f', chunk)
        local key = chunk_key(base, text, queue)
        local removed = redis.pcall('SREM', key, unpack(slots))
        if type(removed) == 'number' and removed > 0 then
          if redis.call('EXISTS', key) == 0 then redis.pcall('ZREM', base .. ':c', text .. ':' .. queue) end
          redis.pcall('SADD', base .. ':d', text)
        end
      end
    end
  end
end
