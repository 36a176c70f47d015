/**
 * The host contract: takes the jobs of one queue, has each attempted, and sees to it that the queue library records
 * the outcome. Stopping drains until the deadline, then gives the rest back to the queue, uncounted.
 */
import type { Outcome } from '../definition/worker.ts';
import type { EndSignal } from '../end-signal.ts';
import type { Service } from '../service.ts';
import type { TakenJob } from './attempt.ts';

export interface Host extends Service {
  readonly queue: string;
  /** Runs one job; fires `signal` when it must be let go. */
  attempt(job: TakenJob, signal: EndSignal): Promise<Outcome>;
  /** Jobs that run at the moment. */
  readonly busy: number;
}
