/**
 * The locks that a host renews, each for one run of a job: a job that a loss of Redis had made again, and that comes to the host
 * that still runs it, is held under another token from then on, and what becomes of its first run is nothing to the second.
 */
import type { LockManager } from 'bullmq';

export interface Holding {
  readonly id: string;
  readonly token: string;
}

export class KeptLocks {
  readonly #manager: LockManager;
  /** By job, of its last run. */
  readonly #tokenOf = new Map<string, string>();

  constructor(manager: LockManager) {
    this.#manager = manager;
  }

  /** By our clock, which the time of the next renewal is told by. */
  keep({ id, token }: Holding): void {
    this.#tokenOf.set(id, token);
    this.#manager.trackJob(id, token, Date.now(), false);
  }

  /** As `keep`, unless a later run has the job. */
  keepOn(holding: Holding): void {
    if (!this.#tokenOf.has(holding.id)) this.keep(holding);
  }

  leave({ id, token }: Holding): void {
    if (this.#tokenOf.get(id) !== token) return;
    this.#tokenOf.delete(id);
    this.#manager.untrackJob(id);
  }
}
