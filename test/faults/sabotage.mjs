/**
 * Breaks one rule of the product while it is loaded (NODE_OPTIONS=--import), so that the product needs no hook for
 * it. SLUICE_TEST_SABOTAGE names the rule. A text that is not found any more ends the process: a sabotage that does
 * nothing would prove nothing.
 */
import fs from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';

/** By rule: file, and pairs of what stands there and what is put in its place. */
const RULES = {
  // Every caller may do everything to every ledger.
  fence: {
    'lua/ledger.lua': [
      ["if fields[1] ~= owner then return { 'disowned'", "if false then return { 'disowned'"],
      ["if present ~= expected_incarnation then return { 'reborn'", "if false then return { 'reborn'"],
      ["if enqueued == nil and expected >= 0 then return { 'disowned'", "if false then return { 'disowned'"],
      ["if enqueued < expected then return { 'behind'", "if false then return { 'behind'"],
    ],
  },
  // What was dealt with is dealt with again.
  skip: {
    'lua/enqueue-bullmq.lua': [
      ['if offset > enqueued then', 'if true then'],
      ['if last <= enqueued then return', 'if false then return'],
    ],
    'bridge/held-partition.ts': [['this.position = this.#next;', 'this.position = this.committed;']],
  },
  // What the metadata lists as finished is forgotten.
  metadata: {
    'bridge/assignment.ts': [['known ?? NOTHING_KNOWN)', '{ ...(known ?? NOTHING_KNOWN), finished: [] })']],
  },
  // A job that is not finished counts as finished.
  settle: {
    'bridge/settle.ts': [['finished.addExcept(start, end, except);', 'finished.add(start, end);']],
  },
  // What a cut expects is fixed when it is sent, and not when it is due.
  due: {
    'bridge/feed.ts': [
      ['for (const each of held.shards) each.sent = Math.max(each.sent, cut.last);', ''],
      [
        'const reply = await sink.enqueue(',
        'expected = target.sent; target.sent = cut.last; const reply = await sink.enqueue(',
      ],
    ],
  },
  // A cut goes on that was left behind when a heartbeat failed.
  leftBehind: { 'bridge/feed.ts': [['!isOver && ', '']] },
  // The rest of a batch goes on under a claim that was made anew.
  claimAnew: { 'bridge/feed.ts': [['held.isReady && held.shards === shards;', 'held.isReady;']] },
  // Carried records are missed that nobody has looked for, at the first look.
  carried: {
    'bridge/flow.ts': [
      ['offset < end && !found', 'offset < each.committed && !found'],
      ['!missedBefore?.has(offset)', 'false'],
    ],
  },
  // A partition is claimed twice at a time.
  oneClaim: {
    'bridge/holdings.ts': [
      ['if (each.isInClaim) return;', ''],
      ["const still = waiting.filter(({ state }) => state === 'claiming');", 'const still = waiting;'],
    ],
    'bridge/feed.ts': [['if (batch.start > held.position) return AHEAD;', '']],
  },
};

const broken = RULES[process.env.SLUICE_TEST_SABOTAGE];
if (broken === undefined) throw new Error(`SLUICE_TEST_SABOTAGE: none of ${Object.keys(RULES).join(', ')}`);

/** The text of a file with its rule broken; as it is when none of it is to be broken. */
function sabotaged(path, text) {
  const changes = Object.entries(broken).find(([file]) => path.endsWith(file))?.[1] ?? [];
  return changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`${path} does not hold: ${from}`);
    return before.replace(from, to);
  }, text);
}

const { readFileSync } = fs;
fs.readFileSync = (file, ...rest) => {
  const read = readFileSync(file, ...rest);
  return typeof read === 'string' && String(file).endsWith('.lua') ? sabotaged(String(file), read) : read;
};
syncBuiltinESMExports();

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    if (!url.endsWith('.ts') || !loaded.source) return loaded;
    return { ...loaded, source: sabotaged(url, loaded.source.toString()) };
  },
});
