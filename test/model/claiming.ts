/** Rules 1 to 8 in a bridge: from the question to Kafka to the first record. Each step may be the last before a loss. */
import { firstToTake, forgottenByKafka, startOf } from '../../src/bridge/rules.ts';
import { commitAt, finishedOf, letGo, maySend, nameOf } from './kafka.ts';
import { claim, removeFinished } from './scripts.ts';
import { type Bridge, freshToken, type HeldShard, type Message, type Redis, type State } from './state.ts';
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
  const start = startOf(committed < 0 ? undefined : committed, bridge.committed, { low: 0, high: world.records });
  if ('halt' in start) {
    next.broken = start.halt;
    return;
  }
  bridge.committed = start.offset;
  if (bridge.shards.length === 0) {
    const none = { token: 0, incarnation: 0, isReconciled: false, acked: -1, sent: -1, finished: 0, dead: 0 };
    bridge.shards = Array.from({ length: world.shards }, () => ({ ...none }));
  }
  for (const shard of bridge.shards) shard.finished |= finished | below(start.offset);
  bridge.phase = 'claiming';
}

function claimShard(next: State, bridge: Bridge, at: number, world: World): void {
  const held = bridge.shards[at] as HeldShard;
  const redis = next.redis[at] as Redis;
  held.token = world.off.has('randomToken') ? redis.data.owner + 1 : freshToken(next);
  const { enqueued, incarnation, isReconciled } = claim(redis, held.token);
  Object.assign(held, { acked: enqueued, sent: enqueued, incarnation, isReconciled });
  if (bridge.shards.some(({ token }) => token === 0)) return;
  const known = next.kafka.committed < 0 ? undefined : { generation: 0, fingerprint: '', finished: [] };
  const refusal = forgottenByKafka(
    known,
    bridge.shards.map(({ acked }) => acked),
  );
  if (refusal !== undefined) next.broken = `halted although nobody touched the topic: ${refusal}`;
  if (world.off.has('commitBeforeUse')) goOn(bridge, world);
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

const STRAY_CLAIM: Message = {
  ...{ from: -1, shard: 0, kind: 'claim', token: 0, incarnation: 0, expected: -1, last: -1, jobs: 0 },
  ...{ status: '', enqueued: -1, unsettled: 0, dead: 0 },
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
  const status = removeFinished(next.redis[at] as Redis, caller, finishedOf(bridge), world);
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
