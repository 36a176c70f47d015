/** How many jobs a host asks for in a call, and how many calls it has under way: against a source that only counts. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import type { BullSource, Take } from '../../src/queue/bullmq/source.ts';
import { timedBackend } from '../../src/queue/bullmq/timed-backend.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { LaneWorker } from '../../src/worker/hosts/bullmq-worker.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let worker: LaneWorker | undefined;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'worker', silentLog);
});

afterEach(async () => {
  await worker?.close(true);
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** Each call is answered when the test says so. */
function startHost(concurrency: number, dataChars: number, run: () => Promise<string> = async () => '0') {
  const asked: { most: number; answer: (count: number) => void }[] = [];
  const take = (most: number, token: string): Promise<Take> => {
    const { promise, resolve } = Promise.withResolvers<Take>();
    asked.push({ most, answer: (count) => resolve(taken(count, token, dataChars)) });
    return promise;
  };
  const source: BullSource = {
    take,
    load: async () => {},
    lock: async (jobs) => jobs.map(() => true),
    complete: async (jobs) => jobs.map(() => 0),
  };
  const settings = { connection: redis, concurrency, lockDuration: 8_000 };
  worker = new LaneWorker('lanes', settings, timedBackend(redis), { source, run, onRefused: () => {} });
  worker.on('error', () => {});
  void worker.run();
  return asked;
}

function taken(count: number, token: string, dataChars: number): Take {
  const raw = { name: 'a', data: JSON.stringify('x'.repeat(dataChars)), opts: '{}', timestamp: '1', ats: '1' };
  const jobs = Array.from({ length: count }, (_, i) => ({ id: `${token}-${i}`, raw, isLocked: true }));
  return { jobs, chars: count * dataChars, nowMs: Date.now(), limitedMs: 0, nextDueMs: 0, refused: 0 };
}

it.each([
  [1, 1],
  [30, 15],
  [100, 50],
  [120, 50],
  [300, 100],
  [500, 100],
  [540, 108],
  [2_000, 112],
])('of %i places, the first call asks for %i jobs', async (concurrency, most) => {
  const asked = startHost(concurrency, 10);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  expect(asked[0]?.most).toBe(most);
});

it('has as many calls under way as there are places for, and none where there is little', async () => {
  let runs = 0;
  const asked = startHost(300, 10, async () => {
    runs += 1;
    return runs <= 100 ? '0' : new Promise(() => {});
  });
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  asked[0]?.answer(100);
  await vi.waitFor(() => expect(asked).toHaveLength(4));
  expect(asked.map(({ most }) => most)).toEqual([100, 100, 100, 100]);
  for (const { answer } of asked.slice(1)) answer(1);
  await vi.waitFor(async () => expect(await redis.info('clients')).toContain('blocked_clients:1'));
  expect(asked).toHaveLength(4);
});

it('has five calls under way at most', async () => {
  const asked = startHost(1_000, 10, () => new Promise(() => {}));
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  asked[0]?.answer(112);
  await vi.waitFor(() => expect(asked).toHaveLength(6));
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked).toHaveLength(6);
});

it('asks for as many jobs of 10 kB as Redis can answer at one go', async () => {
  const asked = startHost(100, 10_000);
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  asked[0]?.answer(50);
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1));
  expect(asked[1]?.most).toBe(5);
});

it('asks for no more than it has places for', async () => {
  const asked = startHost(300, 10, () => new Promise(() => {}));
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  asked[0]?.answer(100);
  await vi.waitFor(() => expect(asked).toHaveLength(3));
  asked[1]?.answer(100);
  await new Promise((resolve) => setImmediate(resolve));
  expect(asked.map(({ most }) => most)).toEqual([100, 100, 100]);
});

it('heeds a marker that comes while a take is under way that finds nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const asked = startHost(4, 10, () => promise);
  const marker = vi.spyOn((worker as LaneWorker).backend, 'waitForJob');
  await vi.waitFor(() => expect(asked).toHaveLength(1));
  asked[0]?.answer(1);
  await vi.waitFor(async () => expect(await redis.info('clients')).toContain('blocked_clients:1'));
  resolve('0');
  await vi.waitFor(() => expect(asked).toHaveLength(2));
  await redis.zadd('bull:lanes:marker', 0, '0');
  await vi.waitFor(() => expect(marker).toHaveResolved());
  asked[1]?.answer(0);
  await vi.waitFor(() => expect(asked).toHaveLength(3));
});
