/**
 * The jobs that a Sidekiq host holds: each is attempted and put down. A run ends when its outcome is written; while Redis
 * does not answer it is written again, which does no harm.
 */
import type { WorkersOf } from '../../definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../../definition/sidekiq-worker.ts';
import type { Outcome } from '../../definition/worker.ts';
import { SluiceError } from '../../errors.ts';
import { sourceOf } from '../../job/identity.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import { type QueuedJob, readJob } from '../../queue/sidekiq/job.ts';
import type { Settlement, SidekiqSource, Taken } from '../../queue/sidekiq/source.ts';
import { sidekiqPrivateKey } from '../../redis/keys.ts';
import { type AttemptContext, attempt, type TakenJob } from '../attempt.ts';
import { createFailureLog } from '../failure-log.ts';
import { settlementOf, takenJob } from './sidekiq-job.ts';

const WRITE_AGAIN_MS = 250;

/** A job between its taking and its settlement. */
export interface Held extends Taken {
  readonly privateKey: string;
  /** Undefined: it cannot be read. */
  readonly job: QueuedJob | undefined;
  readonly source: string | undefined;
  /** Unique in the process, as a thread's id is in Ruby. */
  readonly tid: string;
  readonly startedAtMs: number;
  readonly abort: AbortController;
  /** It has ended, and is being put down. */
  isEnding: boolean;
}

export interface RunsOptions extends AttemptContext {
  readonly source: SidekiqSource;
  readonly workers: WorkersOf<SidekiqWorkerDefinition>;
  readonly dialect: Dialect;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly redisNow: () => number;
  readonly onEnd: () => void;
  readonly report: (error: unknown) => void;
}

export interface Runs {
  readonly held: ReadonlySet<Held>;
  begin(taken: Taken): void;
  attempt(job: TakenJob, signal: AbortSignal): Promise<Outcome>;
  /** Resolves when everything that has begun has ended. */
  ended(): Promise<void>;
  /** Fires every signal; what does not finish by it goes back to its queue. */
  letGo(): void;
  /** Stops writing what Redis does not take. */
  abandon(): void;
}

export function createRuns(options: RunsOptions): Runs {
  const { source, workers, dialect, redisNow, clock, log, metrics, onEnd, report } = options;
  const held = new Set<Held>();
  const running = new Set<Promise<void>>();
  const failures = createFailureLog(log, clock);
  const abandoning = new AbortController();
  let isLettingGo = false;
  let begun = 0;

  function begin(taken: Taken): void {
    const job = readJob(taken.raw);
    begun += 1;
    const each: Held = {
      ...taken,
      privateKey: sidekiqPrivateKey(taken.queue, source.identity),
      job,
      source: job?.source,
      tid: begun.toString(36),
      startedAtMs: redisNow(),
      abort: new AbortController(),
      isEnding: false,
    };
    held.add(each);
    // What fails here is no failure of the job. It stays in the private list, and is found there.
    const end = runToEnd(each)
      .catch(report)
      .finally(() => {
        held.delete(each);
        running.delete(end);
        onEnd();
      });
    running.add(end);
  }

  async function runToEnd(each: Held): Promise<void> {
    const settlement = each.job === undefined ? unreadable(each) : await runJob(each, each.job);
    each.isEnding = true;
    await write(each, settlement);
  }

  /** As Ruby does with what is not JSON: its bytes go to the dead set as they are, and nothing is counted. */
  function unreadable({ queue, raw }: Held): Settlement {
    log.warn({ queue, bytes: raw.length }, 'a job that is no JSON object went to the dead set');
    return { kind: 'kill', text: raw, isKept: true };
  }

  async function runJob({ queue, abort, isUnknown = false }: Held, job: QueuedJob): Promise<Settlement> {
    if (isLettingGo) return { kind: 'return' };
    // A restored Redis has brought it back. What is taken out of the dead set to run again has no source any more.
    if (isUnknown && job.source !== undefined) return removedAgain(job);
    const taken = takenJob(queue, job);
    const outcome = await attempt(taken, abort.signal, options);
    if (isLettingGo && outcome.kind === 'retry') return { kind: 'return' };
    failures.tell(taken, outcome);
    const definition = job.class === undefined ? undefined : workers.get(job.class);
    return settlementOf(job, outcome, { queue, definition, nowMs: redisNow(), dialect });
  }

  function removedAgain({ source: id = '' }: QueuedJob): Settlement {
    metrics.jobsRemovedAgain.inc({ topic: sourceOf(id)?.topic ?? '' });
    return { kind: 'finish' };
  }

  async function write(each: Held, settlement: Settlement): Promise<void> {
    while (!abandoning.signal.aborted) {
      try {
        await source.settle(each, settlement);
        return;
      } catch (error) {
        report(error);
        await clock.sleep(WRITE_AGAIN_MS, abandoning.signal);
      }
    }
  }

  return {
    held,
    begin,
    attempt: (job, signal) => attempt(job, signal, options),

    async ended() {
      await Promise.all(running);
    },

    letGo() {
      isLettingGo = true;
      for (const { abort } of held) abort.abort(STOPPED);
    },

    abandon: () => abandoning.abort(),
  };
}

const STOPPED = new SluiceError('STOPPED', 'the host stops');
