/**
 * The locks of the jobs that a host runs, each for one run: a job that a loss of Redis had made again, and that comes to the host
 * that still runs it, is held under another token from then on, and what becomes of its first run is nothing to the second.
 *
 * Most jobs of a host that keeps up end before anybody could ask for their lock, and are taken without one. What still runs a
 * moment later is locked, and renewed from then on by BullMQ's manager. The moment is far shorter than what stalled checks lie
 * apart, two of which must see a job without a lock before it counts as stalled. A host whose event loop was blocked locks at
 * once, since it may not be there to lock later.
 */
import type { LockManager, Worker } from 'bullmq';
import type { BullSource } from '../../queue/bullmq/source.ts';
import { Roll } from '../roll.ts';
import type { HeldJob } from './held-job.ts';

/** A job is locked when it has run for so long, or for twice that at most. */
const LOCK_AFTER_MS = 500;
/** A timer that is so late tells of a blocked event loop. */
const BLOCKED_MS = 1_000;
const AT_ONCE_FOR_MS = 600_000;
/** A host that has just begun knows nothing of its jobs. */
const AT_ONCE_AT_FIRST_MS = 1_000;

export class KeptLocks {
  readonly #manager: LockManager;
  readonly #source: Pick<BullSource, 'lock'>;
  readonly #worker: Pick<Worker, 'emit'>;
  /** By job, its last run. */
  readonly #kept = new Roll<HeldJob>();
  /** Looks so far. */
  #looks = 0;
  #atOnceUntil = performance.now() + AT_ONCE_AT_FIRST_MS;
  #lookedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** Emits `lockRenewalFailed` for what is another host's by now, or nobody's, as the manager does. */
  constructor(manager: LockManager, source: Pick<BullSource, 'lock'>, worker: Pick<Worker, 'emit'>) {
    this.#manager = manager;
    this.#source = source;
    this.#worker = worker;
  }

  start(): void {
    this.#lookedAt = performance.now();
    this.#timer = setInterval(() => this.#look(), LOCK_AFTER_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Whether jobs may be taken without a lock. */
  get areLater(): boolean {
    return performance.now() > this.#atOnceUntil;
  }

  keep(held: HeldJob): void {
    this.#kept.set(held.id, held);
    this.#manager.untrackJob(held.id);
    if (held.isLocked) this.#renew(held);
    else held.lookedAfter = this.#looks;
  }

  /** Of runs that are over and not written yet: as `keep`, unless a later run has the job; and locked at once. */
  keepOn(over: readonly HeldJob[]): void {
    const kept = over.filter(({ id }) => this.#kept.get(id) === undefined);
    for (const held of kept) this.keep(held);
    const unlocked = kept.filter(({ isLocked }) => !isLocked);
    if (unlocked.length > 0) void this.#lockLate(unlocked);
  }

  leave(held: HeldJob): void {
    if (!this.#isKept(held)) return;
    this.#kept.delete(held.id);
    this.#manager.untrackJob(held.id);
  }

  /** Whether the job's lock is this host's, which is seen to where it was taken without one. */
  async own(held: HeldJob): Promise<boolean> {
    if (!held.isLocked && this.#isKept(held)) await this.#lock([held]);
    return held.isLocked;
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#lookedAt > LOCK_AFTER_MS + BLOCKED_MS) this.#atOnceUntil = now + AT_ONCE_FOR_MS;
    this.#lookedAt = now;
    const late = this.#kept.values().filter(({ isLocked, lookedAfter }) => !isLocked && lookedAfter < this.#looks);
    // Once: whoever has no lock then is kept anew, or has lost the job.
    for (const held of late) held.lookedAfter = Number.POSITIVE_INFINITY;
    this.#looks += 1;
    if (late.length > 0) void this.#lockLate(late);
  }

  async #lockLate(late: readonly HeldJob[]): Promise<void> {
    try {
      await this.#lock(late);
      const lost = late.filter((held) => this.#isKept(held) && !held.isLocked).map(({ id }) => id);
      if (lost.length > 0) this.#worker.emit('lockRenewalFailed', lost);
    } catch (error) {
      this.#worker.emit('error', error as Error);
      for (const held of late) if (this.#isKept(held)) this.keep(held);
    }
  }

  async #lock(jobs: readonly HeldJob[]): Promise<void> {
    const verdicts = await this.#source.lock(jobs);
    for (const [i, held] of jobs.entries()) {
      held.isLocked = verdicts[i] === true;
      if (held.isLocked && this.#isKept(held)) this.keep(held);
    }
  }

  #isKept({ id, token }: HeldJob): boolean {
    return this.#kept.get(id)?.token === token;
  }

  /** By our clock, which the time of the next renewal is told by. */
  #renew({ id, token }: HeldJob): void {
    this.#manager.trackJob(id, token, Date.now(), false);
  }
}
