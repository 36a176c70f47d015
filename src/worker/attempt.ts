/**
 * One attempt, as a pipeline: find the worker, read the data, run, classify. Knows no queue library; what it is
 * given and what it answers are plain data. It never throws: whatever goes wrong is an outcome.
 */
import type { Clock } from '../clock.ts';
import { isOutcome } from '../definition/outcomes.ts';
import type { CollectorPort, Outcome, WorkerContext, WorkerDefinition } from '../definition/worker.ts';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { sourceOf } from '../job/identity.ts';
import type { JobAbout } from '../job/job.ts';
import { firstOriginOf } from '../job/letter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Schemas } from '../schema/schemas.ts';

/** A job as its queue hands it over. */
export interface TakenJob {
  readonly id: string;
  readonly queue: string;
  readonly name: string;
  /** Parsed JSON. */
  readonly data: unknown;
  readonly about: JobAbout | undefined;
  /** Milliseconds since the epoch; tells apart direct jobs whose number came up twice, after Redis was emptied. */
  readonly createdAt?: number;
  /** From 1. */
  readonly attempt: number;
}

export interface AttemptContext {
  readonly workers: {
    get(message: string): WorkerDefinition | undefined;
    all(): readonly { readonly definition: WorkerDefinition }[];
  };
  readonly schemas: Schemas;
  /** Told of each attempt before it runs. */
  readonly onAttempt?: (job: TakenJob) => void;
  readonly portFor: (eventId: string, signal: AbortSignal) => CollectorPort;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** A year. BullMQ keeps due times multiplied by 4096 in doubles, which ends not far beyond ten. */
const LONGEST_WAIT_MS = 365 * 24 * 3_600_000;

/** `signal` fires when the job must be let go: on stop, and when its lock is lost. */
export async function attempt(job: TakenJob, signal: AbortSignal, context: AttemptContext): Promise<Outcome> {
  context.onAttempt?.(job);
  const started = context.clock.now();
  const definition = context.workers.get(job.name);
  const outcome =
    definition === undefined ? unknownMessage(job, context) : await readAndRun(definition, job, signal, context);
  // A name that nobody knows must not become a label: anybody can write one.
  const message = definition?.message ?? 'unknown';
  context.metrics.attempts.inc({ message, outcome: outcome.kind });
  context.metrics.attemptSeconds.observe({ message }, (context.clock.now() - started) / 1000);
  return outcome;
}

function unknownMessage({ name }: TakenJob, { workers }: AttemptContext): Outcome {
  const known = workers.all().map(({ definition }) => definition.message);
  return { kind: 'dead', reason: `no worker runs ${name}; known: ${known.join(', ') || 'none'}` };
}

async function readAndRun(
  definition: WorkerDefinition,
  job: TakenJob,
  signal: AbortSignal,
  context: AttemptContext,
): Promise<Outcome> {
  let message: unknown;
  try {
    message = context.schemas.codec(job.name).fromJson(job.data);
  } catch (error) {
    return { kind: 'dead', reason: `the job's data does not fit ${job.name}: ${messageOf(error)}`, cause: error };
  }
  return run(definition, message, job, signal, context);
}

async function run(
  definition: WorkerDefinition,
  message: unknown,
  job: TakenJob,
  signal: AbortSignal,
  context: AttemptContext,
): Promise<Outcome> {
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(new SluiceError('TIMEOUT', `the worker took longer than ${definition.timeoutMs} ms`));
  }, definition.timeoutMs);
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    const result = await untilAborted(either, async () => definition.run(message, workerContext(job, either, context)));
    return isOutcome(result) ? carriedOut(result) : { kind: 'done' };
  } catch (error) {
    // What the collector refuses for good, it refuses at every attempt.
    const kind = isSluiceError(error, 'COLLECTOR_REFUSED') ? 'dead' : 'retry';
    return { kind, reason: messageOf(error), cause: error };
  } finally {
    clearTimeout(timer);
  }
}

/** JavaScript lets a worker return what no queue can carry out: that is a failure of its own. */
function carriedOut(outcome: Outcome): Outcome {
  const afterMs: unknown = Reflect.get(outcome, 'afterMs');
  const isFit = typeof afterMs === 'number' && afterMs >= 0 && afterMs <= LONGEST_WAIT_MS;
  if (outcome.kind === 'snooze' ? !isFit : afterMs !== undefined && !isFit) {
    const reason = `the worker returned ${outcome.kind} with afterMs ${String(afterMs)}; allowed: 0 to ${LONGEST_WAIT_MS} milliseconds`;
    return { kind: 'retry', reason };
  }
  if (outcome.kind === 'done' || outcome.kind === 'snooze') return outcome;
  return { ...outcome, reason: String(outcome.reason ?? 'no reason given') };
}

/** A worker that does not listen to its signal is left behind: its result no longer counts. */
function untilAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function workerContext(job: TakenJob, signal: AbortSignal, { log, portFor }: AttemptContext): WorkerContext {
  const { about = {}, queue, id, name } = job;
  const eventId = about.id ?? eventIdOf(job);
  return {
    log: log.child({ queue, jobId: id, message: name, attempt: job.attempt }),
    signal,
    attempt: job.attempt,
    key: about.key,
    eventId,
    headers: about.headers ?? {},
    source: sourceFor(job),
    collector: portFor(eventId, signal),
  };
}

/** The record that the event first came in, whatever waits and replays lie between. */
function sourceFor({ id, about }: TakenJob): WorkerContext['source'] {
  const source = sourceOf(id);
  const first = firstOriginOf(about?.headers ?? {});
  if (source === undefined || first === undefined) {
    return source && { topic: source.topic, partition: source.partition, offset: source.offset };
  }
  return { ...first, offset: BigInt(first.offset) };
}
