/**
 * The options of a job in BullMQ's stored form, the same for a job from Kafka and a direct one.
 * A stock worker honours attempts and backoff (without the ceiling, which BullMQ does not know);
 * dead jobs are kept until their letter is written, finished ones are not kept at all, so that
 * nobody's history is trimmed by ours.
 */
import type { Job } from './job.ts';

export interface BullOptions {
  readonly attempts: number;
  readonly backoff: { readonly type: 'exponential'; readonly delay: number; readonly jitter: number };
  readonly removeOnComplete: true;
  readonly removeOnFail: false;
  readonly delay?: number;
  readonly priority?: number;
  readonly sl: Job['about'];
}

export function bullOptions(job: Job): BullOptions {
  return {
    attempts: job.attempts,
    backoff: { type: 'exponential', delay: job.backoff.baseMs, jitter: 1 },
    removeOnComplete: true,
    removeOnFail: false,
    ...(job.delayMs > 0 && { delay: job.delayMs }),
    ...(job.priority > 0 && { priority: job.priority }),
    sl: job.about,
  };
}
