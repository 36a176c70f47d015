import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { watchIdle } from '../../src/worker/hosts/idle-watch.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** Watches for a dozen looks, or until the worker is found stuck; answers how many jobs it was said to leave. */
async function watch(signs: () => number | undefined): Promise<number[]> {
  const stopping = new AbortController();
  const found: number[] = [];
  let looks = 0;
  const watching = watchIdle({
    keyPrefix: 'bull:mail:',
    connection: redis,
    clock: systemClock,
    signal: stopping.signal,
    signs: () => {
      looks += 1;
      return signs();
    },
    onStuck: (waiting) => found.push(waiting),
    lookEveryMs: 5,
  });
  await vi.waitFor(() => expect(found.length > 0 || looks > 24).toBe(true), 10_000);
  stopping.abort();
  await watching;
  return found;
}

const NONE = () => 0;

it('finds a worker that takes nothing although jobs wait', async () => {
  await redis.rpush('bull:mail:wait', 'a', 'b');
  await redis.zadd('bull:mail:prioritized', 1, 'c');
  expect((await watch(NONE))[0]).toBe(3);
});

it.each([
  ['nothing waits', async () => undefined, NONE],
  ['it fetches between two looks', () => redis.rpush('bull:mail:wait', 'a'), fetching()],
  ['it is at work', () => redis.rpush('bull:mail:wait', 'a'), () => undefined],
  ['the queue is paused', () => prepared(() => redis.hset('bull:mail:meta', 'paused', '1')), NONE],
  ['the queue is limited', () => prepared(() => redis.set('bull:mail:limiter', '1')), NONE],
  [
    'others use up the concurrency of the queue',
    () =>
      prepared(
        () => redis.hset('bull:mail:meta', 'concurrency', '1'),
        () => redis.rpush('bull:mail:active', 'b'),
      ),
    NONE,
  ],
])('leaves a worker alone when %s', async (_name, prepare, lastSign) => {
  await prepare();
  expect(await watch(lastSign)).toEqual([]);
});

/** A sign with every look at the signs. */
function fetching(): () => number {
  let signs = 0;
  return () => {
    signs += 1;
    return signs;
  };
}

async function prepared(...steps: (() => Promise<unknown>)[]): Promise<void> {
  await redis.rpush('bull:mail:wait', 'a');
  for (const step of steps) await step();
}

it('suspects a worker at the second look that finds jobs, not at the first', async () => {
  const stopping = new AbortController();
  const onStuck = vi.fn();
  let looks = 0;
  const sleep = async () => {
    looks += 1;
    // A job that came just before the first look is taken right after it; another that came is left.
    if (looks === 2) signs = 1;
    if (looks === 4) stopping.abort();
  };
  let signs = 0;
  await redis.rpush('bull:mail:wait', 'a');
  const clock = { ...systemClock, sleep };
  const told = { signs: () => signs, onStuck: () => onStuck(looks) };
  await watchIdle({ keyPrefix: 'bull:mail:', connection: redis, clock, signal: stopping.signal, ...told });
  expect(onStuck.mock.calls).toEqual([[3]]);
});
