/**
 * A BullMQ job as the attempt sees it, and an outcome as BullMQ understands it. Jobs from Kafka, from the producer and
 * from a plain `queue.add` are treated alike: what a job's own options leave open, its worker's definition decides.
 */
import { DelayedError, type Job, UnrecoverableError, WaitingError } from 'bullmq';
import { backoffDelay } from '../../backoff.ts';
import type { Outcome, WorkerDefinition } from '../../definition/worker.ts';
import { sourceOf } from '../../job/identity.ts';
import { aboutIn } from '../../job/options.ts';
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF } from '../../job/place.ts';
import type { TakenJob } from '../attempt.ts';
import { NotRecordedError } from './bullmq-worker.ts';

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

/** A run that took its host down has no outcome, and is an attempt all the same. */
export function takenJob(queue: string, job: Job): TakenJob {
  return {
    id: job.id ?? '',
    queue,
    name: job.name,
    data: job.data as unknown,
    about: aboutIn(job.opts),
    createdAt: job.timestamp,
    attempt: job.attemptsMade + job.stalledCounter + 1,
  };
}

/** Sees to it that BullMQ retries as often as the job, or else its worker, says. In memory only. */
export function settleOptions(job: Job, definition: WorkerDefinition | undefined): void {
  const own: unknown = job.opts.attempts;
  const attempts = isCount(own) ? own : (definition?.attempts ?? DEFAULT_ATTEMPTS);
  job.opts.attempts = attempts - job.stalledCounter;
  job.opts.stackTraceLimit ??= STACKS_KEPT;
  // Completing takes the ledger's entry away as well: no bridge needs to see the job completed.
  if (sourceOf(job.id ?? '') !== undefined) job.opts.removeOnComplete = true;
}

/** Whether it would be dead if its host died of it once more. After `settleOptions`. */
export function isOnLastRun(job: Job): boolean {
  return job.stalledCounter > 0 && runsLeft(job) <= 1;
}

/** By BullMQ's counts, which hold hosts that died before they began the job, and the runs before a board's retry. */
export function runsLeft({ attemptsMade, stalledCounter, opts }: Job): number {
  return Math.max((opts.attempts ?? 0) + stalledCounter, LEAST_RUNS) - attemptsMade - stalledCounter;
}

/** Throws what BullMQ understands; returns for `done`. */
export async function record(
  job: Job,
  token: string,
  outcome: Outcome,
  definition: WorkerDefinition | undefined,
): Promise<void> {
  if (outcome.kind === 'done') return;
  if (outcome.kind === 'dead') throw unrecoverable(outcome.reason, outcome.cause);
  if (outcome.kind === 'snooze') {
    await written(job.moveToDelayed(Date.now() + outcome.afterMs, token));
    throw new DelayedError();
  }
  const { afterMs, reason, cause } = outcome;
  if (afterMs !== undefined || !hasOwnBackoff(job)) job.opts.backoff = { type: 'sluice' };
  const delayMs = afterMs ?? backoffDelay(definition?.backoff ?? DEFAULT_BACKOFF, job.attemptsMade + 1);
  throw new RetryError(shortened(reason), delayMs, cause);
}

/** Back to the head of the queue, as if it had not been taken. */
export async function giveBack(job: Job, token: string): Promise<never> {
  await written(job.moveToWait(token));
  throw new WaitingError();
}

/** A job that was taken longer ago than its lock lasts may be another host's by now; it is left to that one. */
export async function requireOwn(job: Job, token: string, lockMs: number, now: number): Promise<void> {
  if (now - (job.processedOn ?? now) <= lockMs) return;
  const isOwn = (await written(job.extendLock(token, lockMs))) === 1;
  if (!isOwn) throw new NotRecordedError(new Error('its lock had run out before it was run'));
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
