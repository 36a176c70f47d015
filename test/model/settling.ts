/** Rules 12 to 16 in a bridge: looks, letters of dead jobs, polls and commits. */
import { reclaim } from './claiming.ts';
import { isPresent } from './feeding.ts';
import { commitAt, finishedOf, letGo, maySend, nameOf, settledOf } from './kafka.ts';
import { bury, inspect } from './scripts.ts';
import type { Bridge, HeldShard, Message, Redis, State } from './state.ts';
import { bit, type Emit, has, offsetsOf, rangeSetOf, type World } from './world.ts';

export function settleSteps(state: State, b: number, world: World, emit: Emit): void {
  const bridge = state.bridges[b] as Bridge;
  for (const [s, held] of bridge.shards.entries()) {
    lookStep(state, b, s, world, emit);
    pollStep(state, b, s, world, emit);
    for (const offset of offsetsOf(held.dead)) buryStep(bridge, b, s, offset, world, emit);
  }
  commitSteps(state, b, world, emit);
}

function lookStep(state: State, b: number, s: number, world: World, emit: Emit): void {
  const bridge = state.bridges[b] as Bridge;
  const { acked, token, incarnation, finished } = bridge.shards[s] as HeldShard;
  const isLooking = state.flight.some((each) => each.kind === 'look' && isPresent(each, b, bridge));
  if (isLooking || rangeSetOf(finished).nextMissing(bridge.committed) > acked) return;
  emit(nameOf(b), `looks at the unsettled jobs of shard ${s}`, (next) => {
    const call = { from: b, shard: s, kind: 'look', token, incarnation, expected: acked, last: -1, jobs: 0 } as const;
    const look: Message = { ...call, topicGeneration: 0, status: '', enqueued: -1, unsettled: 0, dead: 0 };
    inspect(next.redis[s] as Redis, look, world);
    next.flight.push(look);
  });
}

/** Rule 16: emitted only where a poll would find something. */
function pollStep(state: State, b: number, s: number, world: World, emit: Emit): void {
  if (world.off.has('poll')) return;
  const { data, incarnation } = state.redis[s] as Redis;
  const held = (state.bridges[b] as Bridge).shards[s] as HeldShard;
  if (data.owner === held.token && incarnation === held.incarnation && data.enqueued >= held.acked) return;
  emit(nameOf(b), `polls shard ${s}: the claim no longer holds`, (next) => reclaim(next.bridges[b] as Bridge, world));
}

function buryStep(state: Bridge, b: number, s: number, offset: number, world: World, emit: Emit): void {
  const isLettered = has(state.lettered, offset) || world.off.has('letterBeforeRemoval');
  if (isLettered) {
    emit(nameOf(b), `buries dead job ${offset}`, (next) => buryJob(next, b, s, offset, world));
  } else {
    emit(nameOf(b), `writes the letter of dead job ${offset}`, (next) => {
      next.kafka.letters |= bit(offset);
      (next.bridges[b] as Bridge).lettered |= bit(offset);
    });
  }
}

function buryJob(next: State, b: number, s: number, offset: number, world: World): void {
  const bridge = next.bridges[b] as Bridge;
  const held = bridge.shards[s] as HeldShard;
  const caller = { token: held.token, incarnation: held.incarnation, expected: held.acked };
  const { status, removed } = bury(next.redis[s] as Redis, caller, offset, world);
  if (status !== 'ok') {
    reclaim(bridge, world);
    return;
  }
  held.dead &= ~bit(offset);
  bridge.lettered &= ~bit(offset);
  if (!removed) return;
  held.finished |= bit(offset);
  if (world.off.has('letterBeforeRemoval')) bridge.lettersDue |= bit(offset);
}

function commitSteps(state: State, b: number, world: World, emit: Emit): void {
  const bridge = state.bridges[b] as Bridge;
  const offset = settledOf(bridge, world);
  const finished = finishedOf(bridge);
  if (!maySend(bridge, world) || (offset === bridge.committed && finished === bridge.recorded)) return;
  emit(nameOf(b), `commits ${offset}`, (next) => {
    const own = next.bridges[b] as Bridge;
    if (commitAt(next, own, offset, world)) Object.assign(own, { committed: offset, recorded: finished });
    else letGo(next, b);
  });
  if (state.budget.lostCommitReply === 0) return;
  emit(nameOf(b), `commits ${offset}, and the answer is lost`, (next) => {
    next.budget.lostCommitReply--;
    commitAt(next, next.bridges[b] as Bridge, offset, world);
  });
}
