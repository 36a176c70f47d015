/**
 * The group and its commits: a member learns of a new generation when it joins it; until then, and until it notices
 * what it lost, it goes on in the partition's name (a zombie). The broker checks a commit's generation, nothing else.
 */
import { mayCommit, offsetToCommit } from '../../src/bridge/rules.ts';
import { NO_BRIDGE } from './start.ts';
import type { Bridge, HeldShard, State } from './state.ts';
import { below, type Emit, rangeSetOf, type World } from './world.ts';

export function groupSteps(state: State, b: number, emit: Emit): void {
  const { kafka } = state;
  const bridge = state.bridges[b] as Bridge;
  if (bridge.generation !== kafka.generation) {
    const isOwner = kafka.owner === b;
    emit(nameOf(b), `joins generation ${kafka.generation}${isOwner ? ', is assigned the partition' : ''}`, (next) =>
      join(next, b, isOwner),
    );
  } else if (bridge.phase !== 'none' && bridge.epoch !== bridge.generation) {
    emit(nameOf(b), 'notices that the partition is no longer its own', (next) => letGo(next, b));
  }
}

export function nameOf(b: number): string {
  return b === 0 ? 'bridge A' : 'bridge B';
}

function join(next: State, b: number, isOwner: boolean): void {
  const { generation } = next.kafka;
  (next.bridges[b] as Bridge).generation = generation;
  if (!isOwner) return;
  letGo(next, b);
  Object.assign(next.bridges[b] as Bridge, { epoch: generation, phase: 'asking' });
}

/** Drops what the bridge knows; what it has sent may still run. */
export function letGo(next: State, b: number): void {
  const { generation } = next.bridges[b] as Bridge;
  next.bridges[b] = { ...NO_BRIDGE, generation, shards: [] };
  next.flight = next.flight.filter(({ from, status }) => from !== b || status === '');
  for (const message of next.flight) if (message.from === b) message.from = -1;
}

/** Finished in every shard. */
export function finishedOf({ shards }: Bridge): number {
  return shards.reduce((all, { finished }: HeldShard) => all & finished, -1);
}

export function settledOf(bridge: Bridge, { off, records }: World): number {
  const sets = bridge.shards.map(({ finished }) => rangeSetOf(finished));
  if (!off.has('commitLowest')) return offsetToCommit(bridge.committed, sets);
  const acked = Math.min(...bridge.shards.map((shard) => shard.acked));
  return Math.min(records, Math.max(bridge.committed, acked + 1));
}

/** Whether the client sends a commit at all: rule 15. */
export function maySend(bridge: Bridge, { off }: World): boolean {
  return off.has('commitWhileOwned') || mayCommit(bridge.epoch, bridge.generation);
}

/** A commit at the broker; true when it is accepted. */
export function commitAt(next: State, bridge: Bridge, offset: number, world: World): boolean {
  const { kafka } = next;
  if (bridge.generation !== kafka.generation) return false;
  const finished = finishedOf(bridge) & ~below(offset);
  kafka.committed = offset;
  kafka.topicGeneration = bridge.topicGeneration;
  kafka.finished = world.off.has('metadata') ? 0 : finished;
  next.recorded |= finished | below(offset);
  return true;
}

/** Nobody holds the partition of the new topic yet; Redis knows only the old one. */
export function makeTopicAnew(next: State): void {
  next.budget.topicAnew--;
  for (const b of next.bridges.keys()) letGo(next, b);
  rebalance(next, next.kafka.owner);
  Object.assign(next.kafka, { committed: -1, finished: 0, letters: 0, isAnew: true, topicGeneration: 0 });
  Object.assign(next, { done: 0, recorded: 0 });
}

/** The broker deals the partition anew. */
export function rebalance(next: State, owner: number): void {
  next.kafka.generation += 1;
  next.kafka.owner = owner;
}
