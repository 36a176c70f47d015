/**
 * The host over BullMQ's Worker. A host that dies is noticed when its jobs' locks run out: within LOCK_MS and one
 * stalled check, some 12 seconds. Locks are renewed at half their time, so a worker that blocks the event loop for
 * longer than LOCK_MS loses its job to another host; such work belongs in a thread or in smaller steps.
 * A job that takes its host down each time is dead after STALLS_ALLOWED rounds.
 */
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq';
import { backoffDelay } from '../../backoff.ts';
import type { Outcome, WorkerDefinition } from '../../definition/worker.ts';
import { messageOf, SluiceError } from '../../errors.ts';
import type { JobAbout } from '../../job/job.ts';
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF } from '../../job/place.ts';
import type { Redis } from '../../redis/connection.ts';
import { within } from '../../service.ts';
import { type AttemptContext, attempt } from '../attempt.ts';
import type { Host } from '../host.ts';

const LOCK_MS = 8_000;
const STALLED_CHECK_MS = 4_000;
const STALLS_ALLOWED = 5;
/** After the deadline, running jobs get this long to hear their signal and be given back. */
const LET_GO_MS = 2_000;
const IDLE_CLOSE_MS = 2_000;
const LOG_AGAIN_MS = 10_000;

export interface BullHostOptions extends AttemptContext {
  readonly queue: string;
  readonly prefix: string;
  readonly concurrency: number;
  /** For commands; BullMQ opens a second one of the same kind to wait on. The caller closes it. */
  readonly connection: Redis;
}

/** A failure that BullMQ is to retry after `delayMs`. */
class RetryError extends Error {
  readonly delayMs: number;

  constructor(reason: string, delayMs: number, cause: unknown) {
    super(reason, { cause });
    this.name = 'RetryError';
    this.delayMs = delayMs;
    if (cause instanceof Error && cause.stack !== undefined) this.stack = cause.stack;
  }
}

export function createBullHost(options: BullHostOptions): Host {
  const { queue, prefix, concurrency, connection, log, clock } = options;
  const running = new Map<string, AbortController>();
  const stopping = new AbortController();
  let worker: Worker | undefined;
  let isLettingGo = false;
  let silentUntil = 0;

  function run(taken: Parameters<Host['attempt']>[0], signal: AbortSignal): Promise<Outcome> {
    return attempt(taken, signal, options);
  }

  async function process(job: Job, token = ''): Promise<void> {
    const id = job.id ?? '';
    const own = new AbortController();
    running.set(id, own);
    try {
      const outcome = await run(takenJob(queue, job), own.signal);
      if (isLettingGo && outcome.kind !== 'done' && outcome.kind !== 'dead') await giveBack(job, token);
      await record(job, token, outcome, options.workers.get(job.name));
    } finally {
      running.delete(id);
    }
  }

  function abort(id: string, error: SluiceError): void {
    running.get(id)?.abort(error);
  }

  function report(error: unknown): void {
    if (stopping.signal.aborted || clock.now() < silentUntil) return;
    silentUntil = clock.now() + LOG_AGAIN_MS;
    log.warn({ queue, reason: messageOf(error) }, 'the queue cannot be read or written for now');
  }

  return {
    queue,
    attempt: run,

    get busy() {
      return running.size;
    },

    async start() {
      if (worker !== undefined) return;
      worker = new Worker(queue, process, {
        connection,
        prefix,
        concurrency,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        maxStalledCount: STALLS_ALLOWED,
        drainDelay: 2,
        runRetryDelay: 1_000,
        settings: { backoffStrategy: (_made, _type, error) => (error instanceof RetryError ? error.delayMs : 0) },
      });
      worker.on('error', report);
      worker.on('lockRenewalFailed', (ids) => {
        for (const id of ids) abort(id, new SluiceError('STOPPED', 'the lock was lost: another host may run the job'));
      });
    },

    async stop(deadlineMs) {
      if (stopping.signal.aborted || worker === undefined) return;
      stopping.abort();
      const closing = worker.close().catch(report);
      // A worker that cannot reach Redis does not close by itself; without a job there is nothing to wait for.
      await within(Math.min(deadlineMs, IDLE_CLOSE_MS), closing);
      if (running.size > 0) await within(deadlineMs - IDLE_CLOSE_MS, closing);
      isLettingGo = true;
      for (const id of running.keys()) abort(id, new SluiceError('STOPPED', 'the host stops'));
      await within(LET_GO_MS, closing);
      await within(
        LET_GO_MS,
        worker.close(true).catch(() => undefined),
      );
    },
  };
}

function takenJob(queue: string, job: Job) {
  return {
    id: job.id ?? '',
    queue,
    name: job.name,
    data: job.data as unknown,
    about: aboutOf(job),
    attempt: job.attemptsMade + 1,
  };
}

/** Anybody may write options; what is not of our shape is not believed. */
function aboutOf(job: Job): JobAbout | undefined {
  const about: unknown = Reflect.get(job.opts, 'sl');
  return typeof about === 'object' && about !== null ? about : undefined;
}

/** Throws what BullMQ understands; returns for `done`. */
async function record(
  job: Job,
  token: string,
  outcome: Outcome,
  definition: WorkerDefinition | undefined,
): Promise<void> {
  if (outcome.kind === 'done') return;
  if (outcome.kind === 'dead') throw unrecoverable(outcome.reason, outcome.cause);
  if (outcome.kind === 'snooze') {
    await job.moveToDelayed(Date.now() + outcome.afterMs, token);
    throw new DelayedError();
  }
  const made = job.attemptsMade + 1;
  job.opts.attempts = job.opts.attempts || definition?.attempts || DEFAULT_ATTEMPTS;
  job.opts.backoff = { type: 'sluice' };
  const delayMs = outcome.afterMs ?? backoffDelay(definition?.backoff ?? DEFAULT_BACKOFF, made);
  throw new RetryError(outcome.reason, delayMs, outcome.cause);
}

async function giveBack(job: Job, token: string): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}

function unrecoverable(reason: string, cause: unknown): UnrecoverableError {
  const error = new UnrecoverableError(reason);
  if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack;
  return error;
}
