-- What is unsettled from a chunk upwards, as Redis keeps it; no look at a job.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, first chunk, offsets to list (the last chunk is finished
-- beyond it).
-- Returns {status, enqueued, incarnation, end (speaks for [first chunk * 512, end)), [chunk, [offset mod 512, ...], ...]}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local first, budget = tonumber(ARGV[4]), tonumber(ARGV[5])
local listed, lists, stop, position = 0, {}, nil, nil
for member, chunk in members_from(base, first) do
  if listed >= budget and chunk ~= position then
    stop = tonumber(chunk)
    break
  end
  position = chunk
  local slots = redis.call('SMEMBERS', base .. ':u:' .. member)
  lists[#lists + 1] = tonumber(chunk)
  lists[#lists + 1] = slots
  listed = listed + math.max(1, #slots)
end

local limit = enqueued + 1
if stop then limit = math.min(limit, stop * CHUNK) end
return { 'ok', enqueued, present, limit, lists }
