/**
 * Tells of failed attempts without flooding the log: for each message type one line in a while, with the newest failure
 * and how many were passed over. The queue and the dead letters hold them all.
 */
import type { Clock } from '../clock.ts';
import type { Outcome } from '../definition/worker.ts';
import type { Log } from '../log.ts';
import type { TakenJob } from './attempt.ts';

const TELL_AGAIN_MS = 5_000;
/** Names come from whoever writes to the queue. */
const MOST_NAMES = 1_000;

interface Told {
  until: number;
  passedOver: number;
}

export interface FailureLog {
  tell(job: TakenJob, outcome: Outcome): void;
}

export function createFailureLog(log: Log, clock: Clock): FailureLog {
  const names = new Map<string, Told>();

  function told(key: string): Told {
    const known = names.get(key);
    if (known !== undefined) return known;
    if (names.size >= MOST_NAMES) names.clear();
    const fresh = { until: 0, passedOver: 0 };
    names.set(key, fresh);
    return fresh;
  }

  return {
    tell({ name, queue, id, attempt }, outcome) {
      if (outcome.kind !== 'retry' && outcome.kind !== 'dead') return;
      const last = told(`${outcome.kind} ${name}`);
      if (clock.now() < last.until) {
        last.passedOver += 1;
        return;
      }
      const { reason, cause } = outcome;
      const fields = { message: name, queue, jobId: id, attempt, reason, passedOver: last.passedOver };
      log.warn(
        cause instanceof Error ? { ...fields, err: cause } : fields,
        outcome.kind === 'dead' ? 'a job is dead' : 'an attempt failed',
      );
      last.until = clock.now() + TELL_AGAIN_MS;
      last.passedOver = 0;
    },
  };
}
