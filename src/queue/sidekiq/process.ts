/**
 * A host as Sidekiq's Web and API see a process: listed with what it runs, and told there to quieten, to stop and to say
 * what it does. The same beat is the sign of life that keeps others from taking its jobs. Times are by the clock that the
 * caller passes; the signs expire by Redis's.
 *
 * Source: Sidekiq's launcher.rb and api.rb; `<identity>:workers` is what 6 reads, `<identity>:work` what 7 and 8 read.
 */
import { timeText } from '../../job/sidekiq-job.ts';
import type { Redis } from '../../redis/connection.ts';
import { SIDEKIQ_ALIVE } from '../../redis/keys.ts';
import { ALLOW_OOM, lua, runScript, script } from '../../redis/script.ts';

export const BEAT_MS = 5_000;
/** Without so many beats, a host is dead and its jobs are put back. */
const SILENT_BEATS = 3;
const LISTED_S = 60;
const VERSION = 'sluice';
const BEAT = script(ALLOW_OOM, lua('beat-sidekiq'));

export const SIGNALS = ['TSTP', 'TERM', 'TTIN'] as const;
export type Signal = (typeof SIGNALS)[number];

export interface ProcessFacts {
  readonly identity: string;
  readonly hostname: string;
  readonly pid: number;
  readonly startedAtMs: number;
  readonly concurrency: number;
  readonly queues: readonly string[];
}

export interface RunningWork {
  /** Unique among what runs in the process. */
  readonly tid: string;
  readonly queue: string;
  readonly payload: string;
  readonly startedAtMs: number;
}

export interface Beat {
  readonly nowMs: number;
  readonly isQuiet: boolean;
  readonly residentKb: number;
  readonly roundTripUs: number;
  readonly work: readonly RunningWork[];
}

/** Tells Redis; answers what an operator wants, if anything. */
export async function beat(redis: Redis, facts: ProcessFacts, now: Beat): Promise<Signal | undefined> {
  const { identity } = facts;
  const fields = Object.entries(fieldsOf(facts, now));
  const work = now.work.map((each) => [each.tid, workText(each)]);
  const keys = [SIDEKIQ_ALIVE + identity, 'processes', identity, `${identity}-signals`, ...workKeys(identity)];
  const args = [identity, SILENT_BEATS * BEAT_MS, LISTED_S, fields.length, ...fields.flat(), ...work.flat()];
  const wanted = await runScript(redis, BEAT, keys, args);
  return SIGNALS.find((signal) => signal === wanted);
}

function fieldsOf(facts: ProcessFacts, now: Beat): Record<string, string | number> {
  return {
    info: infoText(facts),
    concurrency: facts.concurrency,
    busy: now.work.length,
    beat: timeText(now.nowMs, '7'),
    rtt_us: now.roundTripUs,
    quiet: String(now.isQuiet),
    rss: now.residentKb,
  };
}

/** Takes the process off the list, and lets others have at once what it may still hold. */
export async function sayGoodbye(redis: Redis, identity: string): Promise<void> {
  await redis
    .multi()
    .srem('processes', identity)
    .unlink(identity, ...workKeys(identity), SIDEKIQ_ALIVE + identity)
    .exec();
}

function workKeys(identity: string): string[] {
  return [`${identity}:workers`, `${identity}:work`];
}

/** Complete, because Sidekiq's page of processes stands still for everybody where one lacks something. */
function infoText({ identity, hostname, pid, startedAtMs, concurrency, queues }: ProcessFacts): string {
  const weights = Object.fromEntries(queues.map((queue) => [queue, 1]));
  const info = {
    hostname,
    pid,
    tag: 'sluice',
    concurrency,
    queues,
    weights: [weights],
    capsules: { default: { concurrency, mode: 'random', weights } },
    labels: ['sluice'],
    identity,
    version: VERSION,
    embedded: false,
  };
  // Not through a number: one without a fraction would be milliseconds for Sidekiq 8.
  return `{"started_at":${timeText(startedAtMs, '7')},${JSON.stringify(info).slice(1)}`;
}

/** By what a process says of itself, which stays listed for a while when it is killed. */
export function isHostOfSluice(info: string | null): boolean {
  return info?.includes(`"version":"${VERSION}"`) === true;
}

function workText({ queue, payload, startedAtMs }: RunningWork): string {
  return JSON.stringify({ queue, payload, run_at: Math.floor(startedAtMs / 1_000) });
}
