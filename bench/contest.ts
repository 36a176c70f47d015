/**
 * Contestants take turns over several rounds, each on a Redis of its own that is empty at first, so that whatever slows the
 * machine for a while slows all of them. Processes end with their lap.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedisServer } from '../src/faults/redis-server.ts';
import { silentLog } from '../src/log.ts';
import { connect, type Redis } from '../src/redis/connection.ts';
import { type Spread, spreadOf } from './statistics.ts';
import { type Lap, timed } from './stopwatch.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const QUIET_MS = 150;

export interface Contestant {
  /** Fills queues and the like, before anything is measured. */
  readonly prepare?: (server: RedisServer, redis: Redis) => Promise<void>;
  readonly start: (server: RedisServer, round: number) => ChildProcess;
  /** What ends it. Default: kill -9. */
  readonly signal?: NodeJS.Signals;
  /** Jobs that are done so far. */
  readonly count: (redis: Redis) => Promise<number>;
}

export interface Terms {
  readonly rounds: number;
  /** Jobs of one lap. */
  readonly total: number;
  readonly limitMs: number;
  /** Settings of the Redis. */
  readonly redis?: readonly string[];
}

/** `bytes`: what Redis's memory grew by, a job. */
export type Result = Lap & { readonly bytes: number };
export type Results = Readonly<Record<string, readonly Result[]>>;

export async function contest(contestants: Readonly<Record<string, Contestant>>, terms: Terms): Promise<Results> {
  const results: Record<string, Result[]> = {};
  for (let round = 0; round < terms.rounds; round++) {
    for (const [name, contestant] of Object.entries(contestants)) {
      const result = await lap(contestant, round, terms);
      results[name] ??= [];
      results[name].push(result);
      tell(round, name, result);
    }
  }
  return results;
}

async function lap(contestant: Contestant, round: number, { total, limitMs, redis: extra = [] }: Terms) {
  const server = await startRedis(extra);
  const redis = connect('bench', server, 'command', silentLog);
  try {
    const empty = await usedBytes(redis);
    await contestant.prepare?.(server, redis);
    const child = contestant.start(server, round);
    const count = () => contestant.count(redis);
    const redisPid = server.pid;
    const result = await timed({ redis, redisPid, contestantPid: child.pid as number, count, total, limitMs });
    // What has children of its own is asked to end.
    await end(child, contestant.signal);
    await pause(QUIET_MS);
    return { ...result, bytes: ((await usedBytes(redis)) - empty) / (await count()) };
  } finally {
    redis.disconnect();
    await server.stop();
  }
}

/** What has to end with this process. */
const running = new Set<() => void>();
process.once('exit', () => {
  for (const kill of running) kill();
});

export async function startRedis(extra: readonly string[] = []): Promise<RedisServer> {
  const server = await startRedisServer({ extra });
  running.add(server.killNow);
  return server;
}

/** A process of this Node, in the project's folder. */
export function node(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return run(process.execPath, ['--no-warnings', '--conditions=sluice-source', ...args], env);
}

export function run(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const child = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = () => void child.kill('SIGKILL');
  running.add(kill);
  child.once('close', () => running.delete(kill));
  return child;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill(signal);
  await closed;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function allOf(results: Results, name: string, figure: keyof Result): number[] {
  return (results[name] ?? []).map((each) => each[figure]);
}

/** By contestant and figure. */
export function spreads(results: Results): Record<string, Record<keyof Result, Spread>> {
  const figures = (name: string) =>
    Object.keys(results[name]?.[0] ?? {}).map((figure) => [
      figure,
      spreadOf(allOf(results, name, figure as keyof Result)),
    ]);
  return Object.fromEntries(Object.keys(results).map((name) => [name, Object.fromEntries(figures(name))]));
}

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
}

function tell(round: number, name: string, { perSecond, clientUsec, redisUsec }: Result): void {
  const rate = `${Math.round(perSecond)}/s`;
  process.stderr.write(
    `round ${round + 1}: ${name} ${rate}; CPU a job: ${clientUsec.toFixed(1)} us its own, ${redisUsec.toFixed(1)} us of Redis\n`,
  );
}
