/**
 * A Sidekiq job as the attempt sees it, what runs it, and an outcome as Sidekiq would put it down. Pure but for the random
 * part of waits.
 */
import { backoffDelay } from '../../backoff.ts';
import type { WorkersOf } from '../../definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../../definition/sidekiq-worker.ts';
import type { Outcome } from '../../definition/worker.ts';
import { SluiceError } from '../../errors.ts';
import { eventIdOf } from '../../job/event-id.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import { type Failure, fateOf, postponedText } from '../../queue/sidekiq/failure.ts';
import type { QueuedJob } from '../../queue/sidekiq/job.ts';
import type { Settlement } from '../../queue/sidekiq/source.ts';
import type { Schemas } from '../../schema/schemas.ts';
import { messageFrom } from '../arguments.ts';
import type { AttemptContext, Runnable, TakenJob } from '../attempt.ts';

/** What Ruby raises for a class that it does not know. */
class NameError extends Error {
  override readonly name = 'NameError';
}

/** The jid is what an operator knows a job by. Its event's id stays when a retry is on another queue. */
export function takenJob(queue: string, job: QueuedJob): TakenJob {
  const { jid, origin, createdAtMs, about } = job;
  const identified = {
    queue: 'sidekiq',
    id: origin ?? jid,
    ...(createdAtMs !== undefined && { createdAt: createdAtMs }),
  };
  return {
    id: jid,
    queue,
    name: job.class ?? 'without a class',
    data: job.args,
    about: { ...about, id: about?.id ?? eventIdOf(identified) },
    attempt: (job.retryCount ?? -1) + 2,
    ...(origin !== undefined && { source: origin }),
  };
}

/** Ruby tries a class that is unknown again, and so do we: the next deploy may bring it. */
export function byClass(workers: WorkersOf<SidekiqWorkerDefinition>, schemas: Schemas): AttemptContext['find'] {
  function unknown(name: string): Outcome {
    const known = workers.all().map(({ definition }) => definition.sidekiq);
    const error = new NameError(
      `uninitialized constant ${name}; no worker runs it; known: ${known.join(', ') || 'none'}`,
    );
    return { kind: 'retry', reason: error.message, cause: error };
  }

  return ({ name }) => {
    const definition = workers.get(name);
    return definition === undefined ? unknown(name) : runnable(definition, schemas);
  };
}

function runnable(definition: SidekiqWorkerDefinition, schemas: Schemas): Runnable {
  const { sidekiq, message, timeoutMs, arguments: form } = definition;
  return {
    label: sidekiq,
    timeoutMs,
    read({ data }) {
      if (data === undefined) throw new SluiceError('INVALID_MESSAGE', 'args: not a list; allowed: a list');
      const args = data as readonly unknown[];
      return message === undefined ? args : messageFrom(args, schemas.codec(message), form);
    },
    run: (payload, ctx) => definition.run(payload, ctx),
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
