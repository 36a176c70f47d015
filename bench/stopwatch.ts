/**
 * Measures a contestant from outside: how far it is, by a counter in Redis; what it costs, by the kernel's and Redis's own
 * accounts. The watch starts when the contestant is warm, and stops with the last job or when enough time has passed.
 */
import type { Redis } from '../src/redis/connection.ts';
import { cpuUsec } from './machine.ts';

const LOOK_MS = 10;
const WARM_SHARE = 0.25;
const WARM_MS = 1_500;
const GIVE_UP_MS = 60_000;

export interface Course {
  readonly redis: Redis;
  readonly redisPid: number;
  readonly contestantPid: number;
  /** Jobs that are done so far. */
  readonly count: () => Promise<number>;
  readonly total: number;
  /** Longest measurement; a slow contestant need not do everything. */
  readonly limitMs: number;
}

/** All but the rate a job. */
export interface Lap {
  readonly perSecond: number;
  /** Processor time of the contestant's processes; NaN when they ended before the watch was read. */
  readonly clientUsec: number;
  /** Processor time of Redis, the network included. */
  readonly redisUsec: number;
  /** Time inside scripts, by Redis's clock: other processes on the core count. */
  readonly scriptUsec: number;
  /** Commands, those inside scripts included. */
  readonly redisCalls: number;
}

interface Reading {
  readonly at: number;
  readonly count: number;
  readonly clientUsec: number;
  readonly redisUsec: number;
  readonly scriptUsec: number;
  readonly calls: number;
}

export async function timed(course: Course): Promise<Lap> {
  const first = await until(course, (count) => count > 0, GIVE_UP_MS);
  await until(course, (count) => count >= first + (course.total - first) * WARM_SHARE, WARM_MS);
  const start = await reading(course);
  await until(course, (count) => count >= course.total, course.limitMs);
  const end = await reading(course);
  const jobs = end.count - start.count;
  if (jobs <= 0) throw new Error(`no job in ${course.limitMs} ms; ${end.count} of ${course.total} before`);
  return {
    perSecond: (jobs * 1_000) / (end.at - start.at),
    clientUsec: end.clientUsec < start.clientUsec ? Number.NaN : (end.clientUsec - start.clientUsec) / jobs,
    redisUsec: (end.redisUsec - start.redisUsec) / jobs,
    scriptUsec: (end.scriptUsec - start.scriptUsec) / jobs,
    redisCalls: (end.calls - start.calls) / jobs,
  };
}

async function until({ count }: Course, isThere: (count: number) => boolean, atMostMs: number): Promise<number> {
  const deadline = Date.now() + atMostMs;
  for (;;) {
    const now = await count();
    if (isThere(now) || Date.now() > deadline) return now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function reading({ redis, count, redisPid, contestantPid }: Course): Promise<Reading> {
  const so = { at: performance.now(), count: await count() };
  const [clientUsec, redisUsec] = [cpuUsec(contestantPid), cpuUsec(redisPid)];
  const commands = commandsIn(await redis.info('commandstats'));
  const scripts = commands.filter(({ name }) => name.startsWith('eval'));
  return {
    ...so,
    clientUsec,
    redisUsec,
    scriptUsec: scripts.reduce((sum, { usec }) => sum + usec, 0),
    calls: commands.reduce((sum, { calls }) => sum + calls, 0),
  };
}

/** Of `cmdstat_evalsha:calls=2,usec=14,...`. */
function commandsIn(stats: string) {
  const lines = stats.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm);
  return [...lines].map(([, name = '', calls, usec]) => ({ name, calls: Number(calls), usec: Number(usec) }));
}
