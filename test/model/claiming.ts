/** Rules 1 to 8 in a bridge: from the question to Kafka to the first record. Each step may be the last before a loss. */
import { forgotten, outsideLog } from '../../src/bridge/offset-sense.ts';
import { firstToTake, startOf } from '../../src/bridge/rules.ts';
import { commitAt, finishedOf, letGo, maySend, nameOf } from './kafka.ts';
import { claim, removeFinished } from './scripts.ts';
import { freshToken } from './start.ts';
import type { Bridge, HeldShard, Message, Redis, State } from './state.ts';
import { below, type Emit, type World } from './world.ts';

export function claimSteps(state: State, b: number, world: World, emit: Emit): void {
  const { phase, shards } = state.bridges[b] as Bridge;
  const step = (what: string, change: (next: State, bridge: Bridge) => void) =>
    emit(nameOf(b), what, (next) => change(next, next.bridges[b] as Bridge));

  if (phase === 'asking') {
    step('asks Kafka for the committed offset and its metadata', (next, bridge) => ask(next, bridge, world));
  } else if (phase === 'claiming') {
    const at = shards.findIndex(({ token }) => token === 0);
    if (isWaiting(state, b, at, world)) return;
    step(`claims the ledger of shard ${at}`, (next, bridge) => claimShard(next, bridge, at, world));
    claimFaults(state, at, step);
  } else if (phase === 'committing') {
    step('commits its claim', (next, bridge) => commitClaim(next, bridge, b, world));
    if (state.budget.lostCommitReply > 0) {
      step('commits its claim, and the answer is lost', (next, bridge) => {
        next.budget.lostCommitReply--;
        if (maySend(bridge, world)) commitAt(next, bridge, bridge.committed, world);
        reclaim(bridge, world);
      });
    }
  } else if (phase === 'reconciling') {
    const at = shards.findIndex(({ isReconciled }) => !isReconciled);
    step(`reconciles shard ${at}`, (next, bridge) => reconcile(next, bridge, at, world));
  }
}

/** The claim comes after what was sent on the same connection. */
function isWaiting({ flight }: State, b: number, at: number, { hasLateReplies }: World): boolean {
  return flight.some(({ from, shard, status }) => from === b && shard === at && (status === '' || !hasLateReplies));
}

function ask(next: State, bridge: Bridge, world: World): void {
  const { committed, finished } = next.kafka;
  const start = startOf(committed < 0 ? undefined : committed, bridge.committed, 0);
  const nonsense = outsideLog(start, { low: 0, high: world.records });
  if (nonsense !== undefined) {
    next.broken = nonsense.reason;
    return;
  }
  bridge.committed = start;
  bridge.isKnown = committed >= 0;
  // A new one is random in the system; here the join is a number that was never used.
  if (world.knowsGeneration) bridge.topicGeneration = next.kafka.topicGeneration || bridge.epoch;
  if (bridge.shards.length === 0) {
    const none = { token: 0, incarnation: 0, isReconciled: false, acked: -1, sent: -1, finished: 0, dead: 0 };
    bridge.shards = Array.from({ length: world.shards }, () => ({ ...none }));
  }
  for (const shard of bridge.shards) shard.finished |= finished | below(start);
  bridge.phase = 'claiming';
}

function claimShard(next: State, bridge: Bridge, at: number, world: World): void {
  const held = bridge.shards[at] as HeldShard;
  const redis = next.redis[at] as Redis;
  held.token = world.off.has('randomToken') ? redis.data.owner + 1 : freshToken(next);
  const { enqueued: acked, ...rest } = claim(redis, held.token);
  Object.assign(held, { acked, sent: acked, ...rest });
  if (bridge.shards.some(({ token }) => token === 0)) return;
  const known = bridge.isKnown ? { generation: 0, fingerprint: '', reached: -1, finished: [] } : undefined;
  const enqueued = Math.max(...bridge.shards.map(({ acked }) => acked));
  const refusal = forgotten(known, enqueued)?.reason ?? ofAnotherTopic(next, bridge, world);
  if (refusal !== undefined && !world.off.has('haltWhenForgotten')) halt(next, bridge, refusal);
  else if (world.off.has('commitBeforeUse')) goOn(bridge, world);
  else bridge.phase = 'committing';
}

function claimFaults({ budget }: State, at: number, step: (what: string, change: (next: State) => void) => void) {
  const write = (next: State) => claim(next.redis[at] as Redis, freshToken(next));
  if (budget.lostReply > 0) {
    step(`claims the ledger of shard ${at}, and the reply is lost`, (next) => {
      next.budget.lostReply--;
      write(next);
    });
  }
  if (budget.lostRequest > 0) {
    step(`gives up on a claim of shard ${at} that may run later`, (next) => {
      next.budget.lostRequest--;
      next.flight.push({ ...STRAY_CLAIM, shard: at, token: freshToken(next) });
    });
  }
}

function ofAnotherTopic({ redis }: State, { topicGeneration }: Bridge, world: World): string | undefined {
  const isForeign = redis.some(({ data }) => data.enqueued >= 0 && data.topicGeneration !== topicGeneration);
  return world.knowsGeneration && isForeign ? 'the ledger was written for another generation of the topic' : undefined;
}

/** An operator is called: for nothing, unless the topic is another one. A zombie that halts is not heard for long. */
function halt(next: State, bridge: Bridge, why: string): void {
  bridge.phase = 'halted';
  if (!next.kafka.isAnew && bridge.epoch === next.kafka.generation)
    next.broken = `(e) halted although nobody touched the topic: ${why}`;
}

const STRAY_CLAIM: Message = {
  ...{ from: -1, shard: 0, kind: 'claim', token: 0, incarnation: 0, expected: -1, last: -1, jobs: 0 },
  ...{ topicGeneration: 0, status: '', enqueued: -1, unsettled: 0, dead: 0 },
};

function commitClaim(next: State, bridge: Bridge, b: number, world: World): void {
  if (!maySend(bridge, world) || !commitAt(next, bridge, bridge.committed, world)) {
    letGo(next, b);
    return;
  }
  bridge.recorded = finishedOf(bridge);
  goOn(bridge, world);
}

function reconcile(next: State, bridge: Bridge, at: number, world: World): void {
  const held = bridge.shards[at] as HeldShard;
  const caller = { token: held.token, incarnation: held.incarnation, expected: held.acked };
  const finished = world.off.has('reconcileThere') ? finishedOf(bridge) : held.finished;
  const status = removeFinished(next.redis[at] as Redis, caller, finished, world);
  if (status !== 'ok') {
    reclaim(bridge, world);
    return;
  }
  held.isReconciled = true;
  goOn(bridge, world);
}

function goOn(bridge: Bridge, world: World): void {
  bridge.phase = bridge.shards.every(({ isReconciled }) => isReconciled) ? 'ready' : 'reconciling';
  if (bridge.phase !== 'ready') return;
  const first = firstToTake(
    bridge.committed,
    bridge.shards.map(({ acked }) => acked),
  );
  bridge.position = world.off.has('rewindOnLoss') ? Math.max(bridge.position, first) : first;
}

/** Rule 8: what was finished stays so; everything else is asked for anew. */
export function reclaim(bridge: Bridge, world: World): void {
  bridge.phase = 'asking';
  bridge.mustRewind = false;
  if (!world.off.has('rewindOnLoss')) bridge.position = 0;
  for (const shard of bridge.shards) Object.assign(shard, { token: 0, incarnation: 0, isReconciled: false, dead: 0 });
  for (const shard of bridge.shards) shard.acked = shard.sent = -1;
}
