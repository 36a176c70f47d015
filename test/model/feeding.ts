/** Rules 9 to 11 in a bridge: records to batches, at most two under way, and what follows from each reply. */
import { afterFence, concluded, firstToTake, isFinished, mayEnqueue } from '../../src/bridge/rules.ts';
import { reclaim } from './claiming.ts';
import { nameOf } from './kafka.ts';
import type { Bridge, HeldShard, Message, State } from './state.ts';
import { below, bit, type Emit, has, offsetsOf, rangeSetOf, shardOf, type World } from './world.ts';

const BATCHES_UNDER_WAY = 2;

export function feedSteps(state: State, b: number, world: World, emit: Emit): void {
  const bridge = state.bridges[b] as Bridge;
  const underWay = state.flight.filter((each) => each.kind === 'batch' && isPresent(each, b, bridge));
  if (bridge.mustRewind) {
    if (underWay.length > 0) return;
    emit(nameOf(b), 'rewinds to the last acknowledged offset', (next) => rewind(next.bridges[b] as Bridge));
    return;
  }
  if (bridge.lettersDue !== 0) emit(nameOf(b), 'writes the letters that it put off', (next) => writeLate(next, b));
  const records = offsetsOf(below(world.records) & ~below(bridge.position) & ~world.gaps).slice(0, world.batchRecords);
  const isFull = bridge.shards.some((_, s) => underWay.filter(({ shard }) => shard === s).length >= BATCHES_UNDER_WAY);
  if (records.length === 0 || isFull) return;
  emit(nameOf(b), `sends the batch [${records}]`, (next) => send(next, b, records, world));
}

/** Whether the reply speaks of the claim that the bridge works under. */
export function isPresent({ from, shard, token }: Message, b: number, { phase, shards }: Bridge): boolean {
  return from === b && phase === 'ready' && shards[shard]?.token === token;
}

function rewind(bridge: Bridge): void {
  bridge.mustRewind = false;
  for (const shard of bridge.shards) shard.sent = shard.acked;
  bridge.position = firstToTake(
    bridge.committed,
    bridge.shards.map(({ acked }) => acked),
  );
}

function writeLate(next: State, b: number): void {
  const bridge = next.bridges[b] as Bridge;
  next.kafka.letters |= bridge.lettersDue;
  bridge.lettersDue = 0;
}

function send(next: State, b: number, records: readonly number[], world: World): void {
  const bridge = next.bridges[b] as Bridge;
  const last = records.at(-1) as number;
  const sets = bridge.shards.map(({ finished }) => rangeSetOf(finished));
  const open = records.filter((offset) => world.off.has('dropFinished') || !isFinished(offset, sets));
  for (const offset of open.filter((each) => has(world.rejected & ~bridge.lettered, each))) {
    bridge.lettered |= bit(offset);
    if (world.off.has('letterFirst')) bridge.lettersDue |= bit(offset);
    else next.kafka.letters |= bit(offset);
  }
  for (const [s, held] of bridge.shards.entries()) {
    const own = toEnqueue(open, s, held, world);
    if (own.length === 0 && world.off.has('advanceEveryShard')) continue;
    next.flight.push({ ...batch(b, s, held, last, own), topicGeneration: bridge.topicGeneration });
    held.sent = last;
  }
  bridge.position = last + 1;
}

/** The records that become jobs in this shard. */
function toEnqueue(records: readonly number[], s: number, held: HeldShard, world: World): number[] {
  const own = records.filter((offset) => shardOf(offset, world) === s && !has(world.rejected, offset));
  if (world.off.has('dropFinished') || world.off.has('dropFinishedThere')) return own;
  return own.filter((offset) => mayEnqueue(offset, rangeSetOf(held.finished)));
}

function batch(b: number, shard: number, held: HeldShard, last: number, offsets: readonly number[]): Message {
  const jobs = offsets.reduce((set, offset) => set | bit(offset), 0);
  const { token, incarnation, sent } = held;
  const reply = { topicGeneration: 0, status: '', enqueued: -1, unsettled: 0, dead: 0 } as const;
  return { from: b, shard, kind: 'batch', token, incarnation, expected: sent, last, jobs, ...reply };
}

/** The reply at index `at` of what is under way reaches its bridge. */
export function deliver(next: State, at: number, world: World): void {
  const [message] = next.flight.splice(at, 1) as [Message];
  const bridge = next.bridges[message.from] as Bridge;
  const present = world.off.has('ignoreEarlier') || isPresent(message, message.from, bridge);
  const held = bridge.shards[message.shard];
  if (held === undefined || (!present && message.kind === 'look')) return;
  if (message.status !== 'ok') fenced(next, message, held, present, world);
  else if (message.kind === 'look') conclude(message, held, world);
  else if (present) held.acked = Math.max(held.acked, message.enqueued);
}

function fenced(next: State, message: Message, held: HeldShard, isPresent: boolean, world: World): void {
  const bridge = next.bridges[message.from] as Bridge;
  if (message.status === 'ok' || message.status === '') return;
  const facts = { acked: held.acked, expected: message.expected, isPresent };
  const answer = afterFence(message.status, facts);
  if (answer === 'reclaim') reclaim(bridge, world);
  if (answer !== 'resend') return;
  if (world.off.has('resendInOrder')) {
    next.flight.push({ ...message, status: '', expected: message.enqueued, enqueued: -1 });
  } else {
    bridge.mustRewind = true;
  }
}

function conclude({ enqueued, unsettled, dead }: Message, held: HeldShard, { off }: World): void {
  const upTo = off.has('checkedLook') ? held.acked : enqueued;
  const { start, end, except } = concluded({ from: 0, end: upTo + 1, enqueued: upTo, unsettled: offsetsOf(unsettled) });
  held.finished |= below(end) & ~below(start) & ~except.reduce((set, offset) => set | bit(offset), 0);
  held.dead = dead;
}
