/** Every step that is possible in a state, and what no state may be. */
import { claimSteps } from './claiming.ts';
import { faultSteps } from './faults.ts';
import { deliver, feedSteps } from './feeding.ts';
import { groupSteps, makeTopicAnew, nameOf } from './kafka.ts';
import { claim, enqueue } from './scripts.ts';
import { settleSteps } from './settling.ts';
import type { Message, Redis, State } from './state.ts';
import { workerSteps } from './workers.ts';
import { below, type Emit, offsetsOf, type World } from './world.ts';

/** In an order that depends on the state alone. */
export function steps(state: State, world: World, emit: Emit): void {
  harmlessSteps(state, world, emit);
  faultSteps(state, world, emit);
  if (state.budget.topicAnew === 0 || !isThrough(state, world)) return;
  emit('operator', 'deletes the topic and makes it anew, with other records', makeTopicAnew);
}

/** Those that a system without faults takes, and that end whatever is under way. */
export function harmlessSteps(state: State, world: World, emit: Emit): void {
  for (const [b, { phase }] of state.bridges.entries()) {
    groupSteps(state, b, emit);
    if (phase !== 'ready') claimSteps(state, b, world, emit);
    else {
      feedSteps(state, b, world, emit);
      settleSteps(state, b, world, emit);
    }
  }
  for (const [at, message] of state.flight.entries())
    if (isNext(state, at, world)) messageStep(message, at, world, emit);
  workerSteps(state, world, emit);
}

/** A connection keeps the order of scripts, and of replies; what its sender has given up keeps none. */
function isNext({ flight }: State, at: number, { hasLateReplies }: World): boolean {
  const { from, shard, status } = flight[at] as Message;
  if (from < 0 || (hasLateReplies && status !== '')) return true;
  return !flight.slice(0, at).some((each) => each.from === from && each.shard === shard);
}

function messageStep({ from, shard, kind, last, status }: Message, at: number, world: World, emit: Emit): void {
  if (status !== '') {
    const what = kind === 'batch' ? `the batch up to ${last}` : `its look at shard ${shard}`;
    emit(nameOf(from), `is told of ${what}: ${status}`, (next) => deliver(next, at, world));
    return;
  }
  const what = `${from < 0 ? 'late, ' : ''}runs ${kind === 'batch' ? `the batch up to ${last}` : 'a claim'}`;
  emit(`Redis ${shard}`, what, (next) => run(next, at, world));
}

function run(next: State, at: number, world: World): void {
  const message = next.flight[at] as Message;
  const redis = next.redis[message.shard] as Redis;
  if (message.kind === 'claim') claim(redis, message.token);
  else next.broken ||= enqueue(redis, message, world);
  if (message.from < 0) next.flight.splice(at, 1);
}

/** What is wrong with a state; '' when nothing is. */
export function violation({ broken, kafka, done }: State, { gaps }: World): string {
  if (broken !== '') return broken;
  const ended = done | kafka.letters | gaps;
  const [tooFar] = offsetsOf(below(kafka.committed) & ~ended);
  if (tooFar !== undefined) return `(a, c) offset ${kafka.committed} is committed, but record ${tooFar} has not ended`;
  const [lost] = offsetsOf(kafka.finished & ~ended);
  if (lost !== undefined) return `(a) record ${lost} is listed as finished, but has not ended`;
  return '';
}

/** Whether everything has ended: all committed, and no job left; or an operator has been called for. */
export function isThrough({ kafka, redis, flight, bridges }: State, { records, gaps }: World): boolean {
  const owner = bridges[kafka.owner];
  if (kafka.isAnew && owner?.phase === 'halted' && owner.epoch === kafka.generation) return true;
  const open = redis.some(({ data }) => (data.waiting | data.hosted | data.stocked | data.dead) !== 0);
  const behind = below(records) & ~below(kafka.committed) & ~gaps;
  return !open && behind === 0 && flight.length === 0;
}
