/** What goes wrong, each as often as the budget says. */
import { letGo, nameOf, rebalance } from './kafka.ts';
import { emptyData, NO_BRIDGE } from './start.ts';
import type { Budget, Message, Redis, State } from './state.ts';
import type { Emit, World } from './world.ts';

export function faultSteps(state: State, world: World, emit: Emit): void {
  const { budget } = state;
  const spend = (kind: keyof Budget, who: string, what: string, change: (next: State) => void) => {
    if (budget[kind] === 0) return;
    emit(who, what, (next) => {
      next.budget[kind]--;
      change(next);
    });
  };
  for (const owner of [0, 1]) {
    spend('rebalance', 'Kafka', `deals the partition to ${nameOf(owner)}`, (next) => rebalance(next, owner));
    for (const b of [0, 1]) {
      if ((state.bridges[b] as { generation: number }).generation === 0) continue;
      const what = `crashes and starts again; Kafka deals the partition to ${nameOf(owner)}`;
      spend('bridgeCrash', nameOf(b), what, (next) => crash(next, b, owner));
    }
  }
  for (const [s, redis] of state.redis.entries()) redisFaults(redis, s, budget, spend, emit);
  for (const [at, message] of state.flight.entries()) messageFaults(message, at, world, spend);
}

type Spend = (kind: keyof Budget, who: string, what: string, change: (next: State) => void) => void;

function crash(next: State, b: number, owner: number): void {
  letGo(next, b);
  next.bridges[b] = { ...NO_BRIDGE, shards: [] };
  rebalance(next, owner);
}

function redisFaults({ snapshot, data }: Redis, s: number, budget: Budget, spend: Spend, emit: Emit): void {
  const who = `Redis ${s}`;
  const isEmpty = data.owner === 0 && data.created === 0;
  if (!isEmpty) {
    spend('flush', who, 'is flushed', (next) => lose(next, s, false));
    spend('restart', who, 'restarts empty', (next) => lose(next, s, true));
  }
  if (budget.restore === 0) return;
  if (snapshot === undefined) {
    if (!isEmpty) emit(who, 'is snapshot', (next) => void takeSnapshot(next.redis[s] as Redis));
    return;
  }
  spend('restore', who, 'restarts from the snapshot', (next) => {
    lose(next, s, true);
    const redis = next.redis[s] as Redis;
    redis.data = { ...snapshot };
    redis.snapshot = undefined;
  });
}

function takeSnapshot(redis: Redis): void {
  redis.snapshot = { ...redis.data };
}

function lose(next: State, s: number, isRestart: boolean): void {
  const redis = next.redis[s] as Redis;
  redis.data = emptyData();
  if (isRestart) redis.incarnation += 1;
}

function messageFaults({ from, kind, status, last, shard }: Message, at: number, { off }: World, spend: Spend): void {
  if (from < 0 || kind === 'claim') return;
  const what = kind === 'batch' ? `the batch up to ${last}` : `a look at shard ${shard}`;
  if (status === '') {
    spend('lostRequest', nameOf(from), `gives up on ${what}, which may run later`, (next) => {
      const message = next.flight[at] as Message;
      if (!off.has('resendInOrder')) failed(next, message);
      message.from = -1;
    });
  } else {
    spend('lostReply', nameOf(from), `never gets the reply to ${what}`, (next) => {
      failed(next, next.flight[at] as Message);
      next.flight.splice(at, 1);
    });
  }
}

/** A batch that was not answered is taken back. */
function failed({ bridges }: State, { from, kind, token, shard }: Message): void {
  const bridge = bridges[from];
  if (bridge?.shards[shard]?.token === token && kind === 'batch') bridge.mustRewind = true;
}
