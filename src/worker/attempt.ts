/**
 * One attempt, as a pipeline: find the worker, read the data, run, classify. Knows no queue library; what it is
 * given and what it answers are plain data. It never throws: whatever goes wrong is an outcome.
 */
import type { Clock } from '../clock.ts';
import { isOutcome } from '../definition/outcomes.ts';
import type { CollectorPort, Outcome, WorkerContext } from '../definition/worker.ts';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { sourceOf } from '../job/identity.ts';
import type { JobAbout } from '../job/job.ts';
import { firstOriginOf } from '../job/letter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';

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
  /** Where in Kafka it came from, as the id of a job says it; default: what `id` says. */
  readonly source?: string;
}

/** What the name of a job stands for. */
export interface Runnable {
  /** For metrics. */
  readonly label: string;
  readonly timeoutMs: number;
  /** What `run` takes; throws where the job's data is something else. */
  read(job: TakenJob): unknown;
  run(message: unknown, ctx: WorkerContext): Promise<Outcome | void> | Outcome | void;
}

export interface AttemptContext {
  /** What runs the job, or the outcome of one that nothing runs. */
  readonly find: (job: TakenJob) => Runnable | Outcome;
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
  const found = context.find(job);
  const outcome = isOutcome(found) ? found : await readAndRun(found, job, signal, context);
  // A name that nobody knows must not become a label: anybody can write one.
  const message = isOutcome(found) ? 'unknown' : found.label;
  context.metrics.attempts.inc({ message, outcome: outcome.kind });
  context.metrics.attemptSeconds.observe({ message }, (context.clock.now() - started) / 1000);
  return outcome;
}

async function readAndRun(
  runnable: Runnable,
  job: TakenJob,
  signal: AbortSignal,
  context: AttemptContext,
): Promise<Outcome> {
  let message: unknown;
  try {
    message = runnable.read(job);
  } catch (error) {
    return { kind: 'dead', reason: `the job's data does not fit ${runnable.label}: ${messageOf(error)}`, cause: error };
  }
  return run(runnable, message, job, signal, context);
}

async function run(
  runnable: Runnable,
  message: unknown,
  job: TakenJob,
  signal: AbortSignal,
  context: AttemptContext,
): Promise<Outcome> {
  const timeout = new AbortController();
  const timer = setTimeout(() => {
    timeout.abort(new SluiceError('TIMEOUT', `the worker took longer than ${runnable.timeoutMs} ms`));
  }, runnable.timeoutMs);
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    const result = await untilAborted(either, async () => runnable.run(message, workerContext(job, either, context)));
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
function sourceFor({ id, about, source: from = id }: TakenJob): WorkerContext['source'] {
  const source = sourceOf(from);
  const first = firstOriginOf(about?.headers ?? {});
  if (source === undefined || first === undefined) {
    return source && { topic: source.topic, partition: source.partition, offset: source.offset };
  }
  return { ...first, offset: BigInt(first.offset) };
}
