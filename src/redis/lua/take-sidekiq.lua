-- Takes jobs into the host's private lists, their bytes untouched. A job from Kafka whose ledger is not reconciled goes to
-- the other end of its queue. A host that is not known to be alive takes nothing: its jobs could be taken from it at once.
-- KEYS: sign of life, set of private lists, then the queues. ARGV: identity, key of the sources, most jobs, then the names
-- of the queues. Returns {'silent'} or {'ok', now in ms, refused, then for each job its queue's place, 1 where it says that it
-- is from Kafka and no ledger waits for it, and its text}.

local MOST_REFUSED = 100

local identity, sources, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 0 then return { 'silent' } end
local reply = { 'ok', now_ms(), 0 }

local function take_from(place, queue_key, queue)
  local private = 'work:' .. queue .. ':' .. identity
  local refused, length = 0, redis.pcall('LLEN', queue_key)
  -- Of another kind, it is no queue.
  if type(length) ~= 'number' then return end
  while most > 0 and refused < math.min(MOST_REFUSED, length) do
    local raw = redis.call('LINDEX', queue_key, -1)
    if not raw then break end
    local source = source_in(raw)
    local entries, ledgers = entries_in(sources, source)
    if is_reconciled(entries) then
      redis.call('LMOVE', queue_key, private, 'RIGHT', 'LEFT')
      redis.call('SADD', KEYS[2], private)
      local is_unknown = #entries == 0 and ledgers > 0
      for _, each in ipairs({ place, is_unknown and 1 or 0, raw }) do reply[#reply + 1] = each end
      most = most - 1
    else
      -- Not noted as moved: nobody searches for lost jobs before the ledger is reconciled, and there may be a million.
      redis.call('LMOVE', queue_key, queue_key, 'RIGHT', 'LEFT')
      refused = refused + 1
    end
  end
  reply[3] = reply[3] + refused
end

for i = 3, #KEYS do take_from(i - 3, KEYS[i], ARGV[i + 1]) end
return reply
