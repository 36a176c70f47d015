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
async function watch(lastSign: () => number | undefined): Promise<number[]> {
  const stopping = new AbortController();
  const found: number[] = [];
  let looks = 0;
  const watching = watchIdle({
    keyPrefix: 'bull:mail:',
    connection: redis,
    clock: systemClock,
    signal: stopping.signal,
    lastSign: () => {
      looks += 1;
      return lastSign();
    },
    onStuck: (waiting) => found.push(waiting),
    lookEveryMs: 5,
    idleForMs: 1_000,
  });
  await vi.waitFor(() => expect(found.length > 0 || looks > 12).toBe(true), 10_000);
  stopping.abort();
  await watching;
  return found;
}

const LONG_AGO = () => 0;

it('finds a worker that takes nothing although jobs wait', async () => {
  await redis.rpush('bull:mail:wait', 'a', 'b');
  await redis.zadd('bull:mail:prioritized', 1, 'c');
  expect((await watch(LONG_AGO))[0]).toBe(3);
});

it.each([
  ['nothing waits', async () => undefined, LONG_AGO],
  ['it has just fetched', () => redis.rpush('bull:mail:wait', 'a'), () => Date.now()],
  ['it is at work', () => redis.rpush('bull:mail:wait', 'a'), () => undefined],
  ['the queue is paused', () => prepared(() => redis.hset('bull:mail:meta', 'paused', '1')), LONG_AGO],
  ['the queue is limited', () => prepared(() => redis.set('bull:mail:limiter', '1')), LONG_AGO],
  [
    'others use up the concurrency of the queue',
    () =>
      prepared(
        () => redis.hset('bull:mail:meta', 'concurrency', '1'),
        () => redis.rpush('bull:mail:active', 'b'),
      ),
    LONG_AGO,
  ],
])('leaves a worker alone when %s', async (_name, prepare, lastSign) => {
  await prepare();
  expect(await watch(lastSign)).toEqual([]);
});

async function prepared(...steps: (() => Promise<unknown>)[]): Promise<void> {
  await redis.rpush('bull:mail:wait', 'a');
  for (const step of steps) await step();
}
