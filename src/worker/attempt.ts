/**
 * One attempt, as a pipeline: find the worker, read the data, run, classify. Knows no queue library; what it is
 * given and what it answers are plain data. It never throws: whatever goes wrong is an outcome.
 */
import type { Clock } from '../clock.ts';
import { isOutcome } from '../definition/outcomes.ts';
import type { CollectorPort, Outcome, WorkerContext } from '../definition/worker.ts';
import type { EndSignal } from '../end-signal.ts';
import { messageOf } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { sourceOf } from '../job/identity.ts';
import type { JobAbout } from '../job/job.ts';
import { firstOriginOf } from '../job/letter.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Leash } from './leash.ts';

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
  /** `isOver` tells whether the job was let go meanwhile. */
  run(message: unknown, ctx: WorkerContext, isOver: () => boolean): Promise<Outcome | void> | Outcome | void;
}

export interface AttemptContext {
  /** What runs the job, or the outcome of one that nothing runs. */
  readonly find: (job: TakenJob) => Runnable | Outcome;
  /** Told of each attempt before it runs. */
  readonly onAttempt?: (job: TakenJob) => void;
  readonly portFor: (eventId: string, end: EndSignal) => CollectorPort;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** `signal` fires when the job must be let go: on stop, and when its lock is lost. */
export async function attempt(job: TakenJob, signal: EndSignal, context: AttemptContext): Promise<Outcome> {
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

function readAndRun(
  runnable: Runnable,
  job: TakenJob,
  signal: EndSignal,
  context: AttemptContext,
): Promise<Outcome> | Outcome {
  let message: unknown;
  try {
    message = runnable.read(job);
  } catch (error) {
    return { kind: 'dead', reason: `the job's data does not fit ${runnable.label}: ${messageOf(error)}`, cause: error };
  }
  const leash = new Leash(signal, runnable.timeoutMs);
  return leash.outcomeOf(() => runnable.run(message, new RunContext(job, leash, context), () => leash.isOver));
}

/** What its worker knows of a job. Most of it is asked for by few. */
class RunContext implements WorkerContext {
  readonly attempt: number;
  readonly #job: TakenJob;
  readonly #leash: Leash;
  readonly #context: AttemptContext;
  #log: Log | undefined;
  #eventId: string | undefined;
  #collector: CollectorPort | undefined;

  constructor(job: TakenJob, leash: Leash, context: AttemptContext) {
    this.attempt = job.attempt;
    this.#job = job;
    this.#leash = leash;
    this.#context = context;
  }

  get log(): Log {
    const { queue, id, name, attempt } = this.#job;
    this.#log ??= this.#context.log.child({ queue, jobId: id, message: name, attempt });
    return this.#log;
  }

  get signal(): AbortSignal {
    return this.#leash.signal;
  }

  get key(): string | undefined {
    return this.#job.about?.key;
  }

  get eventId(): string {
    this.#eventId ??= this.#job.about?.id ?? eventIdOf(this.#job);
    return this.#eventId;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#job.about?.headers ?? {};
  }

  get source(): WorkerContext['source'] {
    return sourceFor(this.#job);
  }

  get collector(): CollectorPort {
    this.#collector ??= this.#context.portFor(this.eventId, this.#leash.end);
    return this.#collector;
  }
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
