/**
 * The last run of jobs whose host died, or was too busy to hold them. They have it one at a time, so that those that a
 * bad job took along do not die with it. One that outlives OUTLIVED_MS has shown that it does not take its host down
 * at once: the next may start, else fifty long jobs of a killed host would take hours.
 */
import type { Job } from 'bullmq';
import type { Clock } from '../../clock.ts';
import type { Outcome } from '../../definition/worker.ts';
import { isOnLastRun } from './bullmq-job.ts';

const OUTLIVED_MS = 30_000;
const NOT_YET: Outcome = { kind: 'snooze', afterMs: 500 };

export interface LastRuns {
  /** Runs the job, or snoozes it: to wait here would cost it its lock if the one in turn blocks the host. */
  inTurn(job: Job, run: () => Promise<Outcome>): Promise<Outcome>;
}

export function createLastRuns(clock: Clock): LastRuns {
  let turnOf: Job | undefined;

  async function have(job: Job, run: () => Promise<Outcome>): Promise<Outcome> {
    const ended = new AbortController();
    const pass = () => {
      if (turnOf === job) turnOf = undefined;
    };
    turnOf = job;
    void clock.sleep(OUTLIVED_MS, ended.signal).then(pass);
    try {
      return await run();
    } finally {
      ended.abort();
      pass();
    }
  }

  return {
    async inTurn(job, run) {
      if (!isOnLastRun(job)) return run();
      return turnOf === undefined ? have(job, run) : NOT_YET;
    },
  };
}
