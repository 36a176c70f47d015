/**
 * What a Sidekiq host does beside running jobs: it tells that it is alive, hears what operators want, puts back the jobs of
 * hosts that are gone, and brings due jobs to their queues. Each fails and is tried again on its own.
 */
import type { Clock } from '../../clock.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import type { Log } from '../../log.ts';
import { poisonedText } from '../../queue/sidekiq/failure.ts';
import { readJob } from '../../queue/sidekiq/job.ts';
import { promoteDue } from '../../queue/sidekiq/poller.ts';
import { BEAT_MS, beat, type ProcessFacts, type Signal } from '../../queue/sidekiq/process.ts';
import type { SidekiqSource } from '../../queue/sidekiq/source.ts';
import type { Redis } from '../../redis/connection.ts';
import type { Held } from './sidekiq-runs.ts';

/** Ruby polls about every five seconds; a look at two sets costs next to nothing. */
const PROMOTE_MS = 1_000;
/** What is larger is not told again with every beat: Redis would hold each running job three times. */
const MOST_SHOWN_BYTES = 10_000;

export interface ChoresOptions {
  readonly redis: Redis;
  readonly source: SidekiqSource;
  readonly facts: ProcessFacts;
  readonly dialect: Dialect;
  readonly held: ReadonlySet<Held>;
  readonly isQuiet: () => boolean;
  readonly redisNow: () => number;
  readonly onSignal: (signal: Signal) => void;
  readonly report: (error: unknown) => void;
  readonly log: Log;
  readonly clock: Clock;
}

export interface Chores {
  /** Beats, and hears what is wanted. Rejects when Redis does not answer. */
  beat(): Promise<void>;
  /** Puts back what dead hosts held. Rejects when Redis does not answer. */
  recover(): Promise<void>;
  /** Does everything in turn until the signal fires; resolves when nothing is under way. */
  run(signal: AbortSignal): Promise<void>;
}

export function createChores(options: ChoresOptions): Chores {
  const { redis, source, facts, dialect, held, isQuiet, redisNow, onSignal, report, log, clock } = options;

  /** Until nobody wants anything more: what was wanted is seen at once. */
  async function beatAndHear(): Promise<void> {
    for (let wanted = await beatOnce(); wanted !== undefined; wanted = await beatOnce()) onSignal(wanted);
  }

  async function beatOnce(): Promise<Signal | undefined> {
    const since = performance.now();
    await redis.ping();
    return beat(redis, facts, {
      nowMs: redisNow(),
      isQuiet: isQuiet(),
      residentKb: Math.round(process.memoryUsage.rss() / 1_024),
      roundTripUs: Math.round((performance.now() - since) * 1_000),
      work: [...held].map((each) => ({ ...each, payload: shownText(each) })),
    });
  }

  async function recover(): Promise<void> {
    const { recovered, poisoned } = await source.recover();
    if (recovered > 0) log.info({ jobs: recovered }, 'put back the jobs of hosts that are gone');
    for (const each of poisoned) {
      const job = readJob(each.raw);
      const circumstances = { queue: each.queue, nowMs: redisNow(), dialect, random: Math.random };
      const text = job === undefined ? each.raw : poisonedText(job, circumstances);
      await source.settle({ ...each, source: job?.source }, { kind: 'kill', text, isKept: true });
      log.warn({ queue: each.queue, jobId: job?.jid, class: job?.class }, 'a job is dead that took its hosts down');
    }
  }

  async function every(ms: number, signal: AbortSignal, chore: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await chore().catch(report);
      await clock.sleep(ms, signal);
    }
  }

  return {
    beat: beatAndHear,
    recover,

    async run(signal) {
      await Promise.all([
        every(BEAT_MS, signal, beatAndHear),
        every(BEAT_MS, signal, () => (isQuiet() ? Promise.resolve() : recover())),
        every(PROMOTE_MS, signal, async () => {
          if (!isQuiet()) await promoteDue(redis, dialect, signal);
        }),
      ]);
    },
  };
}

/** A running job as Sidekiq's Web shows it, where the wrapper of an ActiveJob job needs its arguments to be read. */
function shownText({ raw, job, queue }: Held): string {
  if (raw.length <= MOST_SHOWN_BYTES || job === undefined) return raw.toString();
  const { class: name, jid, createdAtMs = 0 } = job;
  return JSON.stringify({ class: name, jid, queue, args: [`${raw.length} bytes`], created_at: createdAtMs / 1_000 });
}
