-- Makes the caller the owner of a partition's ledger (rule 3). Safe to repeat, with a new token each time.
-- The generation in Kafka's commit decides whether the ledger still speaks of these records: an operator raises it for a
-- topic made anew. What an earlier generation left is forgotten here, in the script that claims, so that no crash can
-- come in between; its jobs run on, and nobody waits for them. An earlier commit claims nothing of a later ledger.
-- KEYS: ledger. ARGV: token, job id prefix `k~<topic>~<generation>~<partition>~`, what follows it in the ids of Sidekiq jobs
-- of this group.
-- Returns {status, enqueued or -1, incarnation, reconciled incarnation or '', the ledger's generation}.

local base = KEYS[1]
local function all_sources(id_prefix)
  return { sources_key(base, id_prefix), sources_key(base, id_prefix .. ARGV[3] .. '~') }
end

for _, sources in ipairs(all_sources(ARGV[2])) do
  if not is_of_type(sources, 'set') then return { 'corrupt', -1, sources, '', 0 } end
end
for key, wanted in pairs(LEDGER_TYPES) do
  if not is_of_type(base .. key, wanted) then return { 'corrupt', -1, base .. key, '', 0 } end
end

local before, generation, after = string.match(ARGV[2], '^(.*~)(%d+)(~%d+~)$')
generation = tonumber(generation)
local fields = redis.call('HMGET', base, 'enqueued', 'reconciled', 'generation')
local enqueued, reconciled, known = fields[1], fields[2], tonumber(fields[3] or '0')
if known > generation then return { 'newer', tonumber(enqueued or '-1'), incarnation(), '', known } end

if known < generation then
  for _, member in ipairs(redis.call('ZRANGE', base .. ':c', 0, -1)) do
    local chunk, queue = string.match(member, '^(%d+):(.*)$')
    redis.call('UNLINK', chunk_key(base, chunk, queue))
  end
  redis.call('DEL', base .. ':c', base .. ':d', base .. ':x', base .. ':m')
  redis.call('HDEL', base, 'enqueued', 'reconciled')
  for _, sources in ipairs(all_sources(before .. known .. after)) do redis.call('SREM', sources, base) end
  redis.call('HSET', base, 'generation', generation)
  enqueued, reconciled = nil, nil
end

for _, sources in ipairs(all_sources(ARGV[2])) do redis.call('SADD', sources, base) end
redis.call('HSET', base, 'owner', ARGV[1])
return { 'ok', tonumber(enqueued or '-1'), incarnation(), reconciled or '', generation }
