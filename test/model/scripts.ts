/**
 * The Lua scripts, one function each, under their names: what Redis does in one step that nothing divides.
 * `removeFinished` stands for reconcile.lua, `guard` and `finishOwn` for take-many-bullmq.lua and finish-many-bullmq.lua,
 * one job at a time.
 */
import { toRemove } from '../../src/bridge/rules.ts';
import type { Data, Message, Redis } from './state.ts';
import { bit, has, offsetsOf, rangeSetOf, setOf, type World } from './world.ts';

type Caller = Pick<Message, 'token' | 'incarnation' | 'expected'>;
export type Status = Exclude<Message['status'], ''>;

/** ledger.lua: why the caller may not act. The simulation has it from here too. */
export function fence(isOwner: boolean, isOfThisHistory: boolean, enqueued: number, expected: number) {
  if (!isOwner) return 'disowned';
  if (!isOfThisHistory) return 'reborn';
  if (enqueued < 0 && expected >= 0) return 'disowned';
  return enqueued < expected ? 'behind' : 'ok';
}

const NOTHING_EXPECTED = -1;

export function refusal({ data, incarnation }: Redis, caller: Caller, { off }: World): Status {
  const isOwner = off.has('ownerCheck') || data.owner === caller.token;
  const isOfThisHistory = off.has('incarnationCheck') || incarnation === caller.incarnation;
  return fence(isOwner, isOfThisHistory, data.enqueued, off.has('expectedCheck') ? NOTHING_EXPECTED : caller.expected);
}

/** claim.lua */
export function claim({ data, incarnation }: Redis, token: number) {
  data.owner = token;
  return { enqueued: data.enqueued, incarnation, isReconciled: data.reconciled === incarnation };
}

/** enqueue-bullmq.lua. Answers what it broke: a job created twice in one history. */
export function enqueue(redis: Redis, message: Message, world: World): string {
  const { data } = redis;
  message.status = refusal(redis, message, world);
  message.enqueued = data.enqueued;
  if (message.status !== 'ok') return '';
  const isSkipping = !world.off.has('ledgerSkip');
  if (isSkipping && message.last <= data.enqueued) return '';
  let broken = '';
  for (const offset of offsetsOf(message.jobs)) {
    if (isSkipping && offset <= data.enqueued) continue;
    if (!has(jobsOf(data), offset)) broken ||= create(data, offset);
    data.unsettled |= bit(offset);
  }
  data.enqueued = Math.max(data.enqueued, message.last);
  if (world.knowsGeneration) data.topicGeneration = message.topicGeneration;
  message.enqueued = data.enqueued;
  return broken;
}

export function jobsOf(data: Data): number {
  return data.waiting | data.hosted | data.stocked | data.completed | data.dead;
}

function create(data: Data, offset: number): string {
  const isSecond = has(data.created, offset);
  data.waiting |= bit(offset);
  data.created |= bit(offset);
  return isSecond ? `(b) job ${offset} was created twice in one history of Redis` : '';
}

/** inspect-bullmq.lua: settles what is completed, which leaves the queue then, or gone, and tells what is not. */
export function inspect(redis: Redis, message: Message, world: World): void {
  const { data } = redis;
  message.status = world.off.has('checkedLook') ? 'ok' : refusal(redis, message, world);
  message.enqueued = data.enqueued;
  if (message.status !== 'ok') return;
  data.completed &= ~data.unsettled;
  data.unsettled &= data.waiting | data.hosted | data.stocked | data.dead;
  message.unsettled = data.unsettled;
  message.dead = data.unsettled & data.dead;
}

/** bury-bullmq.lua: takes a job and its entry away if it is still dead. */
export function bury(redis: Redis, caller: Caller, offset: number, world: World): { status: Status; removed: boolean } {
  const { data } = redis;
  const status = refusal(redis, caller, world);
  if (status !== 'ok' || !has(data.dead, offset)) return { status, removed: false };
  remove(data, bit(offset));
  return { status, removed: true };
}

/** reconcile-bullmq.lua (rule 6): removes the jobs that are finished, in any state, and has the ledger say that it is done. */
export function removeFinished(redis: Redis, caller: Caller, finished: number, world: World): Status {
  const { data } = redis;
  const status = refusal(redis, caller, world);
  if (status !== 'ok') return status;
  if (!world.off.has('reconcile')) remove(data, setOf(toRemove(offsetsOf(data.unsettled), rangeSetOf(finished))));
  data.reconciled = caller.incarnation;
  return 'ok';
}

function remove(data: Data, jobs: number): void {
  for (const state of ['waiting', 'hosted', 'stocked', 'completed', 'dead', 'unsettled'] as const) data[state] &= ~jobs;
}

/** Whether Sluice's host may run the job that it has taken. */
export function guard({ data, incarnation }: Redis, offset: number, { off }: World): boolean {
  return off.has('guard') || (data.reconciled === incarnation && has(data.hosted, offset));
}

/** Rule 12: the job ends and is settled in one step; false when it is not this host's any more. */
export function finishOwn({ data }: Redis, offset: number): boolean {
  if (!has(data.hosted, offset)) return false;
  data.hosted &= ~bit(offset);
  data.unsettled &= ~bit(offset);
  return true;
}
