/**
 * BullMQ's Worker, with three holes closed. They sit in protected methods of the pinned version; the host's tests hold
 * each. A job whose worker succeeded is never recorded as failed because its completion was refused: completing is tried
 * again, and at the worst the job stays active and runs once more. A job whose lock ran out while its worker kept the
 * event loop busy is completed if nobody else took it. A job whose data is not JSON dies, instead of going round for ever.
 */
import { type Job, Worker } from 'bullmq';
import { isSluiceError, messageOf } from '../../errors.ts';
import { redisError } from '../../redis/connection.ts';

/** Redis refuses while it fails over or loads; the lock is renewed as far as Redis lets us. */
const COMPLETE_AGAIN_MS = 250;

/** What BullMQ's finishing script answers when no lock is there; another host's lock has a code of its own. */
const LOCK_MISSING = -2;

/** A write to the queue failed that was no failure of the job: the job stays active, for the stalled check to find. */
export class NotRecordedError extends Error {
  constructor(cause: unknown) {
    super(`an outcome was not recorded: ${messageOf(cause)}`, { cause });
    this.name = 'NotRecordedError';
  }
}

export class CarefulWorker extends Worker {
  readonly #succeeded = new WeakSet<Job>();

  /** Lets go of the own connection when closing did not; the shared one is the caller's. */
  async release(): Promise<void> {
    if (this.closed === undefined) await this.backend.disconnectBlocking(false);
  }

  protected override async handleCompleted(...call: Parameters<Worker['handleCompleted']>): Promise<Job> {
    const [result, job, token] = call;
    this.#succeeded.add(job);
    for (;;) {
      try {
        return await super.handleCompleted(...call);
      } catch (error) {
        if (Reflect.get(Object(error), 'code') === LOCK_MISSING) return this.#completeUnlocked(result, job);
        if (!isSluiceError(redisError('', error), 'REDIS_REFUSES') || this.closing) throw error;
        this.emit('error', error as Error);
        this.lockManager.trackJob(job.id ?? '', token, Date.now(), false);
        await this.delay(COMPLETE_AGAIN_MS);
      }
    }
  }

  /** Token `0` asks for no lock; the job must still be active. */
  async #completeUnlocked(result: unknown, job: Job): Promise<Job> {
    await job.moveToCompleted(result, '0', false);
    return undefined as unknown as Job;
  }

  protected override async handleFailed(...call: Parameters<Worker['handleFailed']>): Promise<Job> {
    const [error, job] = call;
    // Thrown from here, an error is reported and the job left as it is.
    if (error instanceof NotRecordedError || this.#succeeded.has(job)) throw error;
    return super.handleFailed(...call);
  }

  protected override createJob(...[data, id]: Parameters<Worker['createJob']>): Job {
    try {
      return super.createJob(data, id);
    } catch (error) {
      const job = super.createJob({ ...data, data: '{}' }, id);
      job.deferredFailure = `the job's data is not JSON: ${messageOf(error)}`;
      return job;
    }
  }
}
