/**
 * A BullMQ job as the attempt sees it, and an outcome as BullMQ understands it. Jobs from Kafka, from the producer and
 * from a plain `queue.add` are treated alike: what a job's own options leave open, its worker's definition decides.
 */
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq';
import { backoffDelay } from '../../backoff.ts';
import type { Outcome, WorkerDefinition } from '../../definition/worker.ts';
import { isFromKafka } from '../../job/identity.ts';
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF } from '../../job/place.ts';
import type { HeldJob } from './held-job.ts';
import { NotRecordedError } from './held-job.ts';

/** A host that dies may do so by no fault of the job: that many runs are had, whatever the definition says. */
const LEAST_RUNS = 3;
/** Every attempt's stack is kept in Redis with the job; the newest tell enough. */
const STACKS_KEPT = 3;
const REASON_CHARS = 2_000;

/** A failure that BullMQ is to retry after `delayMs`. */
class RetryError extends Error {
  readonly delayMs: number;

  constructor(reason: string, delayMs: number, cause: unknown) {
    super(reason, { cause });
    this.name = 'RetryError';
    this.delayMs = delayMs;
    this.stack = stackOf(reason, cause);
  }
}

/** BullMQ's `settings.backoffStrategy`: the wait that the outcome asked for. */
export function retryDelay(_made: number, _type?: string, error?: Error): number {
  return error instanceof RetryError ? error.delayMs : 0;
}

/** Runs until it is dead, by the job's own options, or else by its worker. */
export function attemptsOf(held: HeldJob, definition: WorkerDefinition | undefined): number {
  const own = held.opts.attempts;
  return isCount(own) ? own : (definition?.attempts ?? DEFAULT_ATTEMPTS);
}

/** Whether it would be dead if its host died of it once more. */
export function isOnLastRun(held: HeldJob, attempts: number): boolean {
  return held.stalledCounter > 0 && runsLeft(held, attempts) <= 1;
}

/** By BullMQ's counts, which hold hosts that died before they began the job, and the runs before a board's retry. */
export function runsLeft({ attemptsMade, stalledCounter }: HeldJob, attempts: number): number {
  return Math.max(attempts, LEAST_RUNS) - attemptsMade - stalledCounter;
}

/** What is kept of it when it is completed: see `Completion.keep`. */
export function keepOf(held: HeldJob): string {
  // Completing takes the ledger's entry away as well: no bridge needs to see the job completed.
  if (isFromKafka(held.id)) return '0';
  const { removeOnComplete } = held.opts;
  if (removeOnComplete === true || removeOnComplete === 0) return '0';
  if (typeof removeOnComplete === 'number') return removeOnComplete < 0 ? '-1' : `{"count":${removeOnComplete}}`;
  return typeof removeOnComplete === 'object' && removeOnComplete !== null ? JSON.stringify(removeOnComplete) : '-1';
}

/** BullMQ's job, which it is to retry as often as the job, or else its worker, says. */
function settledJob(held: HeldJob, definition: WorkerDefinition | undefined): Job {
  const { job } = held;
  job.opts.attempts = attemptsOf(held, definition) - held.stalledCounter;
  job.opts.stackTraceLimit ??= STACKS_KEPT;
  return job;
}

/** Throws what BullMQ understands; returns for `done`. */
export async function record(held: HeldJob, outcome: Outcome, definition: WorkerDefinition | undefined): Promise<void> {
  if (outcome.kind === 'done') return;
  await held.own();
  const job = settledJob(held, definition);
  if (outcome.kind === 'dead') throw unrecoverable(outcome.reason, outcome.cause);
  if (outcome.kind === 'snooze') {
    await written(job.moveToDelayed(Date.now() + outcome.afterMs, held.token));
    throw new DelayedError();
  }
  const { afterMs, reason, cause } = outcome;
  if (afterMs !== undefined || !hasOwnBackoff(job)) job.opts.backoff = { type: 'sluice' };
  const delayMs = afterMs ?? backoffDelay(definition?.backoff ?? DEFAULT_BACKOFF, job.attemptsMade + 1);
  throw new RetryError(shortened(reason), delayMs, cause);
}

/** Back to the head of the queue, as if it had not been taken. */
export async function giveBack(held: HeldJob): Promise<never> {
  await held.own();
  await written(held.job.moveToWait(held.token));
  throw new WaitingError();
}

/** A job that was taken longer ago than its lock lasts may be another host's by now; it is left to that one. */
export async function requireOwn(held: HeldJob, lockMs: number): Promise<void> {
  if (!held.isLocked) return held.own();
  const isOwn = (await written(held.job.extendLock(held.token, lockMs))) === 1;
  if (!isOwn) throw held.troubled('its lock had run out before it was run');
}

/** Of the host's own dealings with Redis; they are no failure of the job. */
export async function written<T>(write: Promise<T>): Promise<T> {
  try {
    return await write;
  } catch (error) {
    throw new NotRecordedError(error);
  }
}

function unrecoverable(reason: string, cause: unknown): UnrecoverableError {
  const error = new UnrecoverableError(shortened(reason));
  error.stack = stackOf(reason, cause);
  return error;
}

/** An outcome that was returned has no place in the code to tell of: ours would mislead. */
function stackOf(reason: string, cause: unknown): string {
  return (cause instanceof Error ? cause.stack : undefined) ?? shortened(reason);
}

function shortened(reason: string): string {
  return reason.length <= REASON_CHARS ? reason : `${reason.slice(0, REASON_CHARS)} ...`;
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

/** Jobs of ours carry a backoff for stock workers only: BullMQ's knows no ceiling. */
function hasOwnBackoff({ opts }: Job): boolean {
  const type = typeof opts.backoff === 'object' ? opts.backoff.type : undefined;
  return Reflect.get(opts, 'sl') === undefined && (type === 'fixed' || type === 'exponential');
}
