/**
 * A Sidekiq job as the attempt sees it, and an outcome as Sidekiq would put it down. Pure but for the random
 * part of waits.
 */
import { backoffDelay } from '../../backoff.ts';
import type { SidekiqWorkerDefinition } from '../../definition/sidekiq-worker.ts';
import type { Outcome } from '../../definition/worker.ts';
import { sidekiqEventIdOf } from '../../job/event-id.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import { type Failure, fateOf, postponedText } from '../../queue/sidekiq/failure.ts';
import type { QueuedJob } from '../../queue/sidekiq/job.ts';
import type { Settlement } from '../../queue/sidekiq/source.ts';
import type { TakenJob } from '../attempt.ts';

/** The jid is what an operator knows a job by. Its event's id stays when a retry is on another queue. */
export function takenJob(queue: string, job: QueuedJob): TakenJob {
  const { jid, origin, createdAtMs, about } = job;
  return {
    id: jid,
    queue,
    name: job.class ?? 'without a class',
    data: job.args,
    about: { ...about, id: about?.id ?? sidekiqEventIdOf(origin ?? jid, createdAtMs) },
    attempt: (job.retryCount ?? -1) + 2,
    ...(origin !== undefined && { source: origin }),
  };
}

export interface Conclusion {
  readonly queue: string;
  readonly definition: SidekiqWorkerDefinition | undefined;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly nowMs: number;
  readonly dialect: Dialect;
}

export function settlementOf(job: QueuedJob, outcome: Outcome, conclusion: Conclusion): Settlement {
  const { queue, nowMs } = conclusion;
  const day = new Date(nowMs).toISOString().slice(0, 10);
  if (outcome.kind === 'done') return { kind: 'finish', day };
  if (outcome.kind === 'snooze') {
    return { kind: 'postpone', set: 'schedule', text: postponedText(job, queue), waitMs: outcome.afterMs };
  }
  const fate = fateOf(job, failureOf(job, outcome, conclusion.definition), { ...conclusion, random: Math.random });
  if (fate.kind === 'retry') return { kind: 'postpone', set: 'retry', text: fate.text, waitMs: fate.waitMs, day };
  return { kind: 'kill', text: fate.text, isKept: fate.kind === 'dead', day };
}

function failureOf(
  job: QueuedJob,
  outcome: Extract<Outcome, { kind: 'retry' | 'dead' }>,
  definition: SidekiqWorkerDefinition | undefined,
): Failure {
  const { reason, cause } = outcome;
  const isFinal = outcome.kind === 'dead';
  return {
    class: cause instanceof Error ? classOf(cause) : isFinal ? 'Sluice::Dead' : 'Sluice::Retry',
    message: reason,
    backtrace: cause instanceof Error ? linesOf(cause) : [],
    waitMs: isFinal ? undefined : (outcome.afterMs ?? ownWait(job, definition)),
    isFinal,
    isUnknown: definition === undefined,
  };
}

function ownWait(job: QueuedJob, definition: SidekiqWorkerDefinition | undefined): number | undefined {
  return definition?.backoff && backoffDelay(definition.backoff, (job.retryCount ?? -1) + 2);
}

/** Classes of errors hardly ever name themselves. */
function classOf(error: Error): string {
  return error.name === 'Error' ? error.constructor.name || 'Error' : error.name;
}

/** The calls of a stack, as Ruby lists them: without the message in front, and without `at`. */
function linesOf({ stack }: Error): string[] {
  const lines = (stack ?? '').split('\n');
  return lines.flatMap((line) => /^\s+at (.*)$/.exec(line)?.[1] ?? []);
}
