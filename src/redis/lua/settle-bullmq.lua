-- Settles the jobs of one queue that are said to be finished: those that are indeed completed leave the queue with
-- their ledger entry (rule 12), those that are dead are told.
-- KEYS: ledger. ARGV: owner, incarnation, expected offset, job id prefix, key prefix `bull:mail:`, queue, offset...
-- Returns {status, enqueued, incarnation, [settled offset...], [dead offset...]}.

local FIRST_OFFSET = 7

local base = KEYS[1]
local refused, enqueued, present = refusal(base, ARGV[1], ARGV[2], tonumber(ARGV[3]))
if refused then return refused end

local id_prefix, prefix, queue = ARGV[4], ARGV[5], ARGV[6]
local settled, dead, ids, chunks = {}, {}, {}, {}
if misplaced(prefix) then return { 'ok', enqueued, present, settled, dead } end

for i = FIRST_OFFSET, #ARGV do
  local id, offset = id_prefix .. ARGV[i], tonumber(ARGV[i])
  if redis.call('ZSCORE', prefix .. 'completed', id) then
    ids[#ids + 1] = id
    settled[#settled + 1] = offset
    local slot = offset % CHUNK
    local chunk = string.format('%.0f', (offset - slot) / CHUNK)
    chunks[chunk] = chunks[chunk] or {}
    table.insert(chunks[chunk], slot)
  elseif redis.call('ZSCORE', prefix .. 'failed', id) then
    dead[#dead + 1] = offset
  end
end

remove_completed(prefix, ids)
for chunk, slots in pairs(chunks) do settle(base, chunk, queue, slots) end
return { 'ok', enqueued, present, settled, dead }
