/** Whoever touches the jobs: Sluice's own host, a stock worker that knows of no ledger, an operator. */
import { finishOwn, guard } from './scripts.ts';
import type { Data, Redis, State } from './state.ts';
import { bit, type Emit, has, offsetsOf, shardOf, type World } from './world.ts';

export function workerSteps(state: State, world: World, emit: Emit): void {
  if (world.workers.includes('host')) hostSteps(state, world, emit);
  for (const [s, { data }] of state.redis.entries()) {
    if (world.workers.includes('stock')) stockSteps(data, s, emit);
    operatorSteps(state, data, s, emit);
  }
}

function hostSteps(state: State, world: World, emit: Emit): void {
  const { offset, isRunning } = state.host;
  if (offset < 0) takeSteps(state, emit);
  else if (!isRunning) emit('host', `asks whether it may run job ${offset}`, (next) => ask(next, offset, world));
  else runSteps(state, offset, world, emit);
  for (const [s, { data }] of state.redis.entries()) {
    for (const each of offsetsOf(data.hosted & ~(offset < 0 ? 0 : bit(offset)))) {
      emit('queue', `puts job ${each} back that nobody runs any more`, (next) => {
        move(dataOf(next, s), each, 'hosted', 'waiting');
      });
    }
  }
}

function takeSteps(state: State, emit: Emit): void {
  for (const [s, { data }] of state.redis.entries()) {
    for (const each of offsetsOf(data.waiting)) {
      emit('host', `takes job ${each}`, (next) => {
        move(dataOf(next, s), each, 'waiting', 'hosted');
        next.host.offset = each;
      });
    }
  }
}

/** Runs it, or gives it back uncounted. */
function ask(next: State, offset: number, world: World): void {
  const redis = next.redis[shardOf(offset, world)] as Redis;
  if (guard(redis, offset, world)) {
    next.host.isRunning = true;
    if (has(next.recorded, offset)) next.broken = `(d) job ${offset} runs, although Kafka has it as finished`;
    return;
  }
  if (has(redis.data.hosted, offset)) move(redis.data, offset, 'hosted', 'waiting');
  next.host.offset = -1;
}

function runSteps({ budget }: State, offset: number, world: World, emit: Emit): void {
  const s = shardOf(offset, world);
  emit('host', `finishes job ${offset}`, (next) => {
    if (finishOwn(next.redis[s] as Redis, offset)) next.done |= bit(offset);
    next.host = { offset: -1, isRunning: false };
  });
  if (budget.jobDies > 0) {
    emit('host', `fails job ${offset} for the last time`, (next) => {
      next.budget.jobDies--;
      const data = dataOf(next, s);
      if (has(data.hosted, offset)) move(data, offset, 'hosted', 'dead');
      next.host = { offset: -1, isRunning: false };
    });
  }
  if (budget.hostCrash > 0) {
    emit('host', `is killed while it runs job ${offset}`, (next) => {
      next.budget.hostCrash--;
      next.host = { offset: -1, isRunning: false };
    });
  }
}

function stockSteps(data: Data, s: number, emit: Emit): void {
  for (const each of offsetsOf(data.stocked)) {
    emit('stock worker', `finishes job ${each}`, (next) => {
      move(dataOf(next, s), each, 'stocked', 'completed');
      next.done |= bit(each);
    });
  }
  if (data.stocked !== 0) return;
  for (const each of offsetsOf(data.waiting)) {
    emit('stock worker', `takes job ${each}`, (next) => move(dataOf(next, s), each, 'waiting', 'stocked'));
  }
}

function operatorSteps({ budget }: State, data: Data, s: number, emit: Emit): void {
  for (const each of budget.jobRetried > 0 ? offsetsOf(data.dead) : []) {
    emit('operator', `has dead job ${each} tried again`, (next) => {
      next.budget.jobRetried--;
      move(dataOf(next, s), each, 'dead', 'waiting');
    });
  }
  if (budget.jobRemoved === 0) return;
  for (const each of offsetsOf(data.waiting | data.dead | data.completed)) {
    emit('operator', `removes job ${each} from the queue`, (next) => {
      next.budget.jobRemoved--;
      for (const from of ['waiting', 'dead', 'completed'] as const) dataOf(next, s)[from] &= ~bit(each);
      next.done |= bit(each);
    });
  }
}

function dataOf(next: State, s: number): Data {
  return (next.redis[s] as Redis).data;
}

type JobState = 'waiting' | 'hosted' | 'stocked' | 'completed' | 'dead';

function move(data: Data, offset: number, from: JobState, to: JobState): void {
  data[from] &= ~bit(offset);
  data[to] |= bit(offset);
}
