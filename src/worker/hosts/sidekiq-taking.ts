/**
 * Takes jobs as there is room for them. While the queues are empty it asks more and more seldom, at the least ten times a
 * second. Redis's account of what is held is looked at every few seconds, and whenever a reply was lost.
 */
import type { Clock } from '../../clock.ts';
import { SluiceError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { readJob } from '../../queue/sidekiq/job.ts';
import type { SidekiqSource } from '../../queue/sidekiq/source.ts';
import { sidekiqPrivateKey } from '../../redis/keys.ts';
import { createSeldom } from '../../seldom.ts';
import { differences } from './sidekiq-holdings.ts';
import type { Runs } from './sidekiq-runs.ts';

const LEAST_IDLE_MS = 5;
const MOST_IDLE_MS = 100;
const REFUSED_WAIT_MS = 250;
const ASK_AGAIN_MS = 500;
const AUDIT_EVERY_MS = 5_000;

export interface TakingOptions {
  readonly source: SidekiqSource;
  readonly queues: readonly string[];
  readonly concurrency: number;
  readonly runs: Runs;
  readonly isQuiet: () => boolean;
  /** Tells Redis that this host is alive. */
  readonly beat: () => Promise<void>;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly onTime: (nowMs: number) => void;
  readonly report: (error: unknown) => void;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Taking {
  /** Resolves once it was told to stop, and what was under way is through. */
  run(): Promise<void>;
  stop(): void;
  /** There may be room. */
  wake(): void;
}

export function createTaking(options: TakingOptions): Taking {
  const { source, queues, concurrency, runs, isQuiet, beat, onTime, report, log, clock } = options;
  const seldom = createSeldom(clock);
  let isStopping = false;
  let pause = new AbortController();
  let auditAtMs = 0;

  /** Answers how long to wait. */
  async function takeOnce(idleMs: number): Promise<number> {
    if (clock.now() >= auditAtMs) await audit();
    const free = concurrency - runs.held.size;
    if (free <= 0 || isQuiet()) return AUDIT_EVERY_MS;
    const take = await source.take(free, shuffled(queues));
    if (take.kind === 'silent') {
      auditAtMs = 0;
      await beat();
      return 0;
    }
    onTime(take.nowMs);
    for (const each of take.jobs) runs.begin(each);
    if (take.refused > 0 && seldom('refused') !== undefined) log.warn({}, REFUSED);
    if (take.jobs.length > 0) return 0;
    return take.refused > 0 ? REFUSED_WAIT_MS : idleMs;
  }

  /** What became of the call is not known: it may have taken jobs. */
  function askAgain(error: unknown): number {
    report(error);
    auditAtMs = 0;
    return ASK_AGAIN_MS;
  }

  async function audit(): Promise<void> {
    auditAtMs = clock.now() + AUDIT_EVERY_MS;
    const { strays, lost } = await differences(source, queues, runs.held);
    for (const { abort } of lost) abort.abort(LOCK_LOST);
    for (const each of strays) {
      const privateKey = sidekiqPrivateKey(each.queue, source.identity);
      await source.settle({ ...each, privateKey, source: readJob(each.raw)?.source }, { kind: 'return' });
    }
  }

  return {
    async run() {
      let idleMs = LEAST_IDLE_MS;
      while (!isStopping) {
        // What wakes it from here on is not missed.
        pause = new AbortController();
        const waitMs = await takeOnce(idleMs).catch(askAgain);
        idleMs = waitMs === idleMs ? Math.min(idleMs * 2, MOST_IDLE_MS) : LEAST_IDLE_MS;
        if (waitMs > 0) await clock.sleep(waitMs, pause.signal);
      }
    },
    stop() {
      isStopping = true;
      pause.abort();
    },
    wake: () => pause.abort(),
  };
}

/** No queue is always asked first. */
function shuffled(queues: readonly string[]): string[] {
  return queues
    .map((queue) => ({ queue, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ queue }) => queue);
}

const REFUSED = 'jobs from kafka wait for their bridge, which has to reconcile them after a loss of redis';
const LOCK_LOST = new SluiceError('STOPPED', 'the lock was lost: another host may run the job');
