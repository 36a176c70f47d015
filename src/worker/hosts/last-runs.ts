/**
 * The last run of jobs whose host died, or was too busy to hold them. They have it one at a time, and beside no other that a
 * host died with, so that those that a bad job took along do not die with it. One that outlives OUTLIVED_MS has shown that it
 * does not take its host down at once: the next may start, else fifty long jobs of a killed host would take hours.
 * Nobody dies of deaths alone: a host may die before it has begun what it took, and a board's retry leaves BullMQ's
 * counts as they are. So the beginning of a last run is written down, and who is taken again right after it is dead.
 * When the note is lost, or cannot be written, the job has one more run.
 */
import type { Clock } from '../../clock.ts';
import type { Outcome } from '../../definition/worker.ts';
import type { Redis } from '../../redis/connection.ts';
import { lastRunKey } from '../../redis/keys.ts';
import { isOnLastRun, runsLeft, written } from './bullmq-job.ts';
import type { HeldJob } from './held-job.ts';

const OUTLIVED_MS = 30_000;
/** A job that waits behind others for longer than that has one more run. */
const NOTE_KEPT_MS = 86_400_000;
const NOT_YET: Outcome = { kind: 'snooze', afterMs: 500 };

type Run = () => Promise<Outcome>;

export interface LastRuns {
  /** Dead when the host died of the job's last run; undefined otherwise. */
  verdict(job: HeldJob, attempts: number): Promise<Outcome | undefined>;
  /** Runs a job that a host died with, or snoozes it: to wait here would cost it its lock if the one in turn blocks the host. */
  inTurn(job: HeldJob, attempts: number, run: Run): Promise<Outcome>;
  /** Runs the job under a note of its beginning if it is its last run. The job must be this host's. */
  noted(job: HeldJob, attempts: number, run: Run): Promise<Outcome>;
}

/** `keyPrefix`: `bull:mail:`, under which the jobs lie. */
export function createLastRuns(keyPrefix: string, connection: Redis, clock: Clock): LastRuns {
  /** Those that run here, and have not outlived it yet: each may take its host down. Whether it is their last run. */
  const suspects = new Map<HeldJob, boolean>();

  /** A last run beside no other, and no other beside a last run. */
  function mayRun(isLast: boolean): boolean {
    return isLast ? suspects.size === 0 : ![...suspects.values()].includes(true);
  }

  async function watched(job: HeldJob, isLast: boolean, run: Run): Promise<Outcome> {
    const ended = new AbortController();
    const pass = () => void suspects.delete(job);
    suspects.set(job, isLast);
    void clock.sleep(OUTLIVED_MS, ended.signal).then(pass);
    try {
      return await run();
    } finally {
      ended.abort();
      pass();
    }
  }

  const keyOf = ({ id }: HeldJob) => lastRunKey(keyPrefix, id);

  return {
    async verdict(job, attempts) {
      if (!isOnLastRun(job, attempts) || runsLeft(job, attempts) > 0) return undefined;
      const { attemptsStarted, stalledCounter } = job;
      const begun = await written(connection.get(keyOf(job)));
      if (begun !== noteOf(attemptsStarted - 1, stalledCounter - 1)) return undefined;
      return {
        kind: 'dead',
        reason: `${stalledCounter} times its host died, or was too busy to hold it, while it ran`,
      };
    },

    async inTurn(job, attempts, run) {
      const isLast = isOnLastRun(job, attempts);
      return mayRun(isLast) ? watched(job, isLast, run) : NOT_YET;
    },

    async noted(job, attempts, run) {
      if (!isOnLastRun(job, attempts)) return run();
      const note = noteOf(job.attemptsStarted, job.stalledCounter);
      await connection.set(keyOf(job), note, 'PX', NOTE_KEPT_MS).catch(() => undefined);
      try {
        return await run();
      } finally {
        connection.del(keyOf(job)).catch(() => undefined);
      }
    },
  };
}

/** Which time it was taken and how often its host had died: one more of each, and nothing came between. */
function noteOf(taken: number, deaths: number): string {
  return `${taken}:${deaths}`;
}
