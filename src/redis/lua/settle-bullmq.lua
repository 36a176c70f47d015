-- Settles the jobs of one queue that are said to be finished: those that are indeed completed leave the queue with
-- their ledger entry (rule 12), those that are dead are told.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, key prefix `bull:mail:`, queue, offset...
-- Returns {status, enqueued, incarnation, [settled offset...], [dead offset...]}.

local FIRST_OFFSET = 7

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, prefix, queue = ARGV[4], ARGV[5], ARGV[6]
local completed, failed = prefix .. 'completed', prefix .. 'failed'
local settled, dead, keys, chunks = {}, {}, {}, {}
if misplaced(prefix) then return { 'ok', enqueued, present, settled, dead } end

local function note(offset, id)
  settled[#settled + 1] = offset
  keys[#keys + 1] = prefix .. id
  keys[#keys + 1] = prefix .. id .. ':logs'
  local slot = offset % CHUNK
  local chunk = (offset - slot) / CHUNK
  local slots = chunks[chunk]
  if not slots then
    slots = {}
    chunks[chunk] = slots
  end
  slots[#slots + 1] = slot
end

for i = FIRST_OFFSET, #ARGV do
  local id = id_prefix .. ARGV[i]
  if redis.call('ZREM', completed, id) == 1 then
    note(tonumber(ARGV[i]), id)
  elseif redis.call('ZSCORE', failed, id) then
    dead[#dead + 1] = tonumber(ARGV[i])
  end
end

if #keys > 0 then redis.call('DEL', unpack(keys)) end
for chunk, slots in pairs(chunks) do settle(base, string.format('%.0f', chunk), queue, slots) end
return { 'ok', enqueued, present, settled, dead }
