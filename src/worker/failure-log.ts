/**
 * Tells of failed attempts without flooding the log: for each message type one line in a while, with the newest failure
 * and how many were passed over. The queue and the dead letters hold them all.
 */
import type { Clock } from '../clock.ts';
import type { Outcome } from '../definition/worker.ts';
import type { Log } from '../log.ts';
import { createSeldom } from '../seldom.ts';
import type { TakenJob } from './attempt.ts';

export interface FailureLog {
  tell(job: TakenJob, outcome: Outcome): void;
}

export function createFailureLog(log: Log, clock: Clock): FailureLog {
  const seldom = createSeldom(clock);
  return {
    tell({ name, queue, id, attempt }, outcome) {
      if (outcome.kind !== 'retry' && outcome.kind !== 'dead') return;
      const passedOver = seldom(`${outcome.kind} ${name}`);
      if (passedOver === undefined) return;
      const { reason, cause } = outcome;
      const fields = { message: name, queue, jobId: id, attempt, reason, passedOver };
      log.warn(
        cause instanceof Error ? { ...fields, err: cause } : fields,
        outcome.kind === 'dead' ? 'a job is dead' : 'an attempt failed',
      );
    },
  };
}
