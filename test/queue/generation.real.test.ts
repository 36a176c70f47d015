/** A claim follows the generation that Kafka's commit names: what Redis holds of an earlier one is forgotten, as one step. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { groupMark } from '../../src/job/identity.ts';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Claim, Sink } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { peekLedger } from '../../src/redis/peek.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const KEY = 'sluice:ledger:c:g:t:0';

let server: TestRedis;
let redis: Redis;
let sink: Sink;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createBullSink({ name: 'test', redis, prefix: 'bull', adder: ownAdder() });
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

const JOB: Job = {
  queue: 'mail',
  name: 'a.B',
  data: '{}',
  attempts: 1,
  backoff: { baseMs: 1, maxMs: 1 },
  timestamp: 1,
  delayMs: 0,
  priority: 0,
  about: {},
};

async function enqueued(generation: number, offsets: readonly number[], queues = ['mail']): Promise<Claim> {
  const claim = (await sink.claim(LEDGER, generation)) as Claim;
  const jobs = offsets.map((offset, i) => ({ offset, job: { ...JOB, queue: queues[i % queues.length] as string } }));
  expect(await sink.enqueue(claim, -1, { jobs, last: offsets.at(-1) ?? -1 })).toMatchObject({ status: 'ok' });
  return claim;
}

it('keeps the ledger of the same generation', async () => {
  await enqueued(3, [0, 1, 700]);
  expect(await sink.claim(LEDGER, 3)).toMatchObject({ enqueued: 700, generation: 3 });
  expect(await peekLedger(redis, 'test', LEDGER)).toEqual({
    isCorrupt: false,
    enqueued: 700,
    generation: 3,
    unsettled: 3,
    lowestUnsettled: 0,
  });
});

it('forgets an earlier one, and leaves its jobs alone', async () => {
  const old = await enqueued(0, [5, 6, 600, 1_200], ['mail', 'sms']);
  const claim = (await sink.claim(LEDGER, 1)) as Claim;
  expect(claim).toMatchObject({ enqueued: -1, generation: 1, isReconciled: false });
  expect(await redis.keys(`${KEY}:*`)).toEqual([]);
  const sources = ['sluice:sources:k~t~1~0~', `sluice:sources:k~t~1~0~${groupMark(LEDGER.group)}~`];
  expect((await redis.keys('sluice:sources:*')).sort()).toEqual(sources);
  for (const each of sources) expect(await redis.smembers(each)).toEqual([KEY]);
  expect(await sink.enqueue(old, 1_200, { jobs: [], last: 1_300 })).toMatchObject({ status: 'disowned' });
  expect((await redis.keys('bull:*:k~t~0~0~*')).length).toBe(4);
  expect(await sink.enqueue(claim, -1, { jobs: [{ offset: 5, job: JOB }], last: 5 })).toMatchObject({ created: 1 });
  expect(await peekLedger(redis, 'test', LEDGER)).toMatchObject({ generation: 1, unsettled: 1, lowestUnsettled: 5 });
});

it('claims nothing of a later one', async () => {
  await enqueued(2, [0, 1]);
  const before = await redis.hgetall(KEY);
  expect(await sink.claim(LEDGER, 1)).toMatchObject({ status: 'newer', generation: 2 });
  expect(await sink.claim(LEDGER, 0)).toMatchObject({ status: 'newer', generation: 2 });
  expect(await redis.hgetall(KEY)).toEqual(before);
});

it('takes up the generation in a Redis that lost everything', async () => {
  expect(await sink.claim(LEDGER, 4)).toMatchObject({ enqueued: -1, generation: 4 });
  expect(await peekLedger(redis, 'test', LEDGER)).toMatchObject({ generation: 4, enqueued: -1, lowestUnsettled: -1 });
});

it('says of foreign keys that they are foreign, and touches nothing', async () => {
  await redis.set(`${KEY}:c`, 'foreign');
  expect(await sink.claim(LEDGER, 1)).toMatchObject({ status: 'corrupt' });
  expect((await peekLedger(redis, 'test', LEDGER)).isCorrupt).toBe(true);
  expect(await redis.keys('*')).toEqual([`${KEY}:c`]);
});
