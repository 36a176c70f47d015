-- How many offsets are unsettled, by chunk, over all queues: what has changed since is found without a look at a job.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, first chunk, members to count (the last chunk is finished
-- beyond it), chunks to take of those that hosts have noted.
-- Returns {status, enqueued, incarnation, end (speaks for [first chunk * 512, end)), [chunk, count, ...],
--          [queue, ...] that hold them, [noted chunk, ...]}.

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local first, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local counts, queues, known = {}, {}, {}
local stop, position, looked = nil, nil, 0
for member, chunk in members_from(base, first) do
  if chunk ~= position then
    if looked >= most then
      stop = tonumber(chunk)
      break
    end
    position = chunk
    counts[#counts + 1] = tonumber(chunk)
    counts[#counts + 1] = 0
  end
  looked = looked + 1
  counts[#counts] = counts[#counts] + redis.call('SCARD', base .. ':u:' .. member)
  local queue = string.sub(member, string.find(member, ':', 1, true) + 1)
  if not known[queue] then
    known[queue] = true
    queues[#queues + 1] = queue
  end
end

local limit = enqueued + 1
if stop then limit = math.min(limit, stop * CHUNK) end
local noted = {}
for i, chunk in ipairs(redis.call('SPOP', base .. ':d', tonumber(ARGV[6]))) do noted[i] = tonumber(chunk) end
return { 'ok', enqueued, present, limit, counts, queues, noted }
