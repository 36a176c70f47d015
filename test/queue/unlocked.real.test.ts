/** Jobs from Kafka that are taken without a lock: what they leave in Redis, what locks them, and how they are found when lost. */
import { Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { createBullSource, type Take, type Unlocked } from '../../src/queue/bullmq/source.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sourcesKey } from '../../src/redis/keys.ts';
import { contentOf } from '../support/bull-content.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const PREFIX = 'bull:mail:';
const LOCK_MS = 30_000;
const idOf = (offset: number) => `k~t~0~0~${offset}`;

let server: TestRedis;
let redis: Redis;
let queue: Queue;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
  queue = new Queue('mail', { connection: redis });
});

afterAll(async () => {
  await queue.close();
  await disconnect(redis);
  await server.stop();
});

beforeEach(async () => {
  await redis.flushall();
});

const source = () =>
  createBullSource({ connection: redis, queue: 'mail', keyPrefix: PREFIX, lockMs: LOCK_MS, isStock: false });

async function add(...ids: string[]): Promise<void> {
  for (const jobId of ids) await queue.add('acme.v1.Test', { text: 'x' }, { jobId, timestamp: 1_700_000_000_000 });
}

async function takeLater(count: number, most = count): Promise<Take> {
  await add(...Array.from({ length: count }, (_, i) => idOf(i)));
  return source().take(most, 'a', true);
}

const unlocked = ({ jobs, nowMs }: Take): Unlocked[] => jobs.map(({ id }) => ({ id, token: 'a', processedOn: nowMs }));
const locksLeft = () => redis.keys(`${PREFIX}*:lock`);

it('writes nothing but its place and that it is active', async () => {
  const { jobs } = await takeLater(2);
  expect(jobs.map(({ id, isLocked }) => [id, isLocked])).toEqual([
    [idOf(0), false],
    [idOf(1), false],
  ]);
  expect(await locksLeft()).toEqual([]);
  expect(await redis.hmget(`${PREFIX}${idOf(0)}`, 'ats', 'processedOn')).toEqual([null, null]);
  expect(await redis.lrange(`${PREFIX}active`, 0, -1)).toEqual([idOf(1), idOf(0)]);
});

it.each([
  [1, 'one by one'],
  [20, 'together'],
])('is as one that was taken with a lock once it is locked: %i, %s', async (count) => {
  const take = await takeLater(count);
  expect(await source().lock(unlocked(take))).toEqual(take.jobs.map(() => true));
  const ttl = await redis.pttl(`${PREFIX}${idOf(0)}:lock`);
  expect(ttl > LOCK_MS / 2 && ttl <= LOCK_MS).toBe(true);
  const ours = withoutTimes(await contentOf(redis, PREFIX));
  await redis.flushall();
  await add(...take.jobs.map(({ id }) => id));
  await source().take(count, 'a');
  expect(ours).toEqual(withoutTimes(await contentOf(redis, PREFIX)));
});

it('leaves nothing behind when it is completed, and one that is not taken stays', async () => {
  await redis.sadd(`${sourcesKey()}:k~t~0~0~`, 'sluice:ledger:of-nobody');
  const { jobs } = await takeLater(20, 19);
  const done = jobs.map(({ id }) => ({ id, token: 'a', returnValue: 'null', keep: '0' }));
  expect(await source().complete(done)).toEqual(jobs.map(() => 0));
  expect(await redis.keys(`${PREFIX}k~*`)).toEqual([`${PREFIX}${idOf(19)}`]);
  expect(await redis.llen(`${PREFIX}active`)).toBe(0);
});

it.each([
  ['one that no bridge has made', async () => add('by-hand')],
  ['one that was taken before', async () => retaken({ ats: 1 })],
  ['one that its host lost before it was locked', async () => retaken({ stc: 1 })],
])('is locked at once all the same: %s', async (_, given) => {
  await given();
  const { jobs } = await source().take(1, 'a', true);
  expect(jobs.map(({ isLocked }) => isLocked)).toEqual([true]);
  expect(await locksLeft()).toHaveLength(1);
  expect(await redis.hget(`${PREFIX}${jobs[0]?.id}`, 'processedOn')).toBeTruthy();
});

async function retaken(counts: object): Promise<void> {
  await add(idOf(0));
  await redis.hset(`${PREFIX}${idOf(0)}`, counts);
}

describe('is not locked any more', () => {
  it.each<[string, (id: string) => Promise<unknown>]>([
    ['where another has its lock', (id) => redis.set(`${PREFIX}${id}:lock`, 'b')],
    ['where it is not active', (id) => redis.lrem(`${PREFIX}active`, 0, id)],
    ['where it is gone', (id) => redis.del(`${PREFIX}${id}`)],
    ['where another has taken it', (id) => redis.hset(`${PREFIX}${id}`, 'ats', 1)],
    ['where it was found to be stalled', (id) => redis.hset(`${PREFIX}${id}`, 'stc', 1)],
    [
      'where its key is of another type',
      (id) => redis.del(`${PREFIX}${id}`).then(() => redis.lpush(`${PREFIX}${id}`, 'x')),
    ],
  ])('%s, and its neighbours are', async (_, meanwhile) => {
    for (const count of [3, 20]) {
      await redis.flushall();
      const take = await takeLater(count);
      await meanwhile(idOf(1));
      const verdicts = await source().lock(unlocked(take));
      expect(verdicts).toEqual(take.jobs.map(({ id }) => id !== idOf(1)));
    }
  });
});

it('is locked by its holder as often as it asks, for as long each time', async () => {
  const take = await takeLater(1);
  expect(await source().lock(unlocked(take))).toEqual([true]);
  await redis.pexpire(`${PREFIX}${idOf(0)}:lock`, 1_000);
  expect(await source().lock(unlocked(take))).toEqual([true]);
  expect(await redis.pttl(`${PREFIX}${idOf(0)}:lock`)).toBeGreaterThan(LOCK_MS / 2);
});

it("is another's when it was made again after a loss of Redis, whoever has taken it since", async () => {
  for (const isLater of [true, false]) {
    await redis.flushall();
    const before = await takeLater(1);
    await redis.flushall();
    await add(idOf(0));
    const again = await source().take(1, 'b', isLater);
    expect(await source().lock(unlocked(before))).toEqual([false]);
    expect(await source().lock(again.jobs.map(({ id }) => ({ id, token: 'b', processedOn: again.nowMs })))).toEqual([
      true,
    ]);
  }
});

it('tells since when it ran if it is kept', async () => {
  await add('k~mine');
  await source().take(1, 'a', true);
  expect(await source().complete([{ id: 'k~mine', token: 'a', returnValue: 'null', keep: '-1' }])).toEqual([0]);
  const [ats, processedOn, finishedOn] = await redis.hmget(`${PREFIX}k~mine`, 'ats', 'processedOn', 'finishedOn');
  expect([ats, Number(processedOn)]).toEqual(['1', Number(finishedOn)]);
});

it("is found by a stock Worker's second stalled check, and counted, when its host died", async () => {
  await takeLater(1);
  const worker = new Worker('mail', undefined, { connection: redis, autorun: false });
  const check = async () => {
    await redis.del(`${PREFIX}stalled-check`);
    await (worker as unknown as { moveStalledJobsToWait(): Promise<void> }).moveStalledJobsToWait();
    return queue.getJobState(idOf(0));
  };
  expect([await check(), await check()]).toEqual(['active', 'waiting']);
  expect(await redis.hget(`${PREFIX}${idOf(0)}`, 'stc')).toBe('1');
  await worker.close();
});

/** What differs between two runs of the same: when they were. */
function withoutTimes(content: Record<string, unknown>): unknown {
  return JSON.parse(JSON.stringify(content, (key, value) => (key === 'processedOn' ? typeof value : value)));
}
