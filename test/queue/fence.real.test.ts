/** The ledger's fence, call by call: who may act, and what a refused call leaves behind. */
import { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { leanAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Claim, Inspected, Sink } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const KEY = 'sluice:ledger:c:g:t:0';

let server: TestRedis;
let redis: Redis;
let sink: Sink;
let claim: Claim;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createBullSink({
    name: 'test',
    redis: connect('test', server, 'command', silentLog),
    prefix: 'bull',
    adder: leanAdder(),
  });
});

beforeEach(async () => {
  await redis.flushall();
  claim = (await sink.claim(LEDGER, 0)) as Claim;
});

afterAll(async () => {
  await sink.close();
  await disconnect(redis);
  await server.stop();
});

function batch(first: number, last: number, queue = 'mail') {
  const job: Job = {
    queue,
    name: 'a.B',
    data: '{}',
    attempts: 1,
    backoff: { baseMs: 1, maxMs: 1 },
    timestamp: 1,
    delayMs: 0,
    priority: 0,
    about: {},
  };
  return { jobs: Array.from({ length: last - first + 1 }, (_, i) => ({ offset: first + i, job })), last };
}

const jobKeys = () => redis.keys('bull:mail:k~*');

describe('the fence', () => {
  it('lets only the last who claimed act', async () => {
    const later = (await sink.claim(LEDGER, 0)) as Claim;
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'disowned' });
    expect(await sink.inspect(claim, -1, 0, 10)).toMatchObject({ status: 'disowned' });
    expect(await sink.bury(claim, -1, { offset: 0, queue: 'mail' })).toMatchObject({ status: 'disowned' });
    expect(await jobKeys()).toEqual([]);
    expect(await sink.enqueue(later, -1, batch(0, 4))).toMatchObject({ status: 'ok', created: 5 });
  });

  it('lets nobody act on an emptied Redis', async () => {
    await sink.enqueue(claim, -1, batch(0, 4));
    await redis.flushall();
    expect(await sink.enqueue(claim, 4, batch(5, 9))).toMatchObject({ status: 'disowned' });
    expect(await sink.inspect(claim, 4, 0, 10)).toMatchObject({ status: 'disowned' });
    expect(await redis.keys('*')).toEqual([]);
  });

  it('notices another history of Redis though owner and offset are the same', async () => {
    await sink.enqueue(claim, -1, batch(0, 4));
    const before = { ...claim, incarnation: 'another' };
    expect(await sink.enqueue(before, 4, batch(5, 9))).toMatchObject({ status: 'reborn', enqueued: 4 });
  });

  it('refuses a batch whose predecessor did not arrive', async () => {
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'ok' });
    expect(await sink.enqueue(claim, 9, batch(10, 14))).toEqual({ status: 'behind', enqueued: 4 });
    expect(await sink.enqueue(claim, 4, batch(3, 9))).toMatchObject({ status: 'ok', created: 5, enqueued: 9 });
  });

  it('makes no job again that is done, when its batch comes again because the reply was lost', async () => {
    await sink.enqueue(claim, -1, batch(0, 4));
    for (const key of await jobKeys()) await redis.del(key);
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'ok', created: 0, existed: 0 });
    expect(await sink.enqueue(claim, -1, batch(3, 6))).toMatchObject({ status: 'ok', created: 2, enqueued: 6 });
    expect((await jobKeys()).sort()).toEqual(['bull:mail:k~t~0~0~5', 'bull:mail:k~t~0~0~6']);
  });

  it('advances without jobs', async () => {
    expect(await sink.enqueue(claim, -1, { jobs: [], last: 41 })).toMatchObject({
      status: 'ok',
      enqueued: 41,
      created: 0,
    });
    expect(await redis.hget(KEY, 'enqueued')).toBe('41');
  });

  it('touches nothing when a key of the ledger is of another type', async () => {
    await redis.del(KEY);
    await redis.set(KEY, 'foreign');
    expect(await sink.claim(LEDGER, 0)).toEqual({ status: 'corrupt' });
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'corrupt' });
    expect(await redis.get(KEY)).toBe('foreign');
  });
});

describe('queues that others share', () => {
  it.each([
    ['paused by version 5', { version: 'bullmq:5.58.0', paused: '1' }, /paused-by bullmq:5/],
    ['of an untested version', { version: 'bullmq:7.0.0' }, /untested-version/],
    ['of an unknown library', { version: 'other:1' }, /untested-version/],
  ])('refuses one %s, and writes nothing', async (_name, meta, why) => {
    await redis.hset('bull:mail:meta', meta);
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({
      status: 'refused',
      queue: 'mail',
      why: expect.stringMatching(why) as string,
    });
    expect(await jobKeys()).toEqual([]);
    expect(await redis.hget(KEY, 'enqueued')).toBeNull();
  });

  it('refuses one whose jobs an older version has set aside', async () => {
    await redis.rpush('bull:mail:paused', '1');
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({
      status: 'refused',
      why: expect.stringContaining('legacy-paused') as string,
    });
  });

  it('refuses one that is no queue', async () => {
    await redis.set('bull:mail:wait', 'x');
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({
      status: 'refused',
      why: expect.stringContaining('wrong-type') as string,
    });
  });

  it('feeds one of version 5, and one paused by version 6', async () => {
    await redis.hset('bull:mail:meta', { version: 'bullmq:5.58.0', 'opts.maxLenEvents': '7' });
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'ok' });
    expect(await redis.hgetall('bull:mail:meta')).toEqual({ version: 'bullmq:5.58.0', 'opts.maxLenEvents': '7' });
    const queue = new Queue('other', { connection: redis });
    await queue.pause();
    expect(await sink.enqueue(claim, 4, batch(5, 9, 'other'))).toMatchObject({ status: 'ok', created: 5 });
    await queue.close();
  });
});

describe('looking', () => {
  const look = async (from = 0, budget = 10_000) => (await sink.inspect(claim, 0, from, budget)) as Inspected;

  it('settles what is gone or completed, lists what is dead, and speaks for whole ranges', async () => {
    await sink.enqueue(claim, -1, batch(0, 9));
    await redis.del('bull:mail:k~t~0~0~3');
    await redis.hset('bull:mail:k~t~0~0~4', 'finishedOn', '1');
    await redis.hset('bull:mail:k~t~0~0~5', { finishedOn: '1', failedReason: 'no' });
    await redis.zadd('bull:mail:failed', 1, 'k~t~0~0~5');
    await redis.hset('bull:mail:k~t~0~0~6', 'failedReason', 'between attempts');
    expect(await look()).toMatchObject({ end: 10, completed: 1, absent: 1, dead: [{ offset: 5, queue: 'mail' }] });
    expect([...(await look()).unsettled].sort()).toEqual([0, 1, 2, 5, 6, 7, 8, 9]);
  });

  it('goes on from where it is told to, over many queues in order of offsets', async () => {
    await sink.enqueue(claim, -1, {
      jobs: [...batch(0, 0, 'b').jobs, ...batch(600, 600, 'a').jobs, ...batch(601, 601, 'b').jobs],
      last: 700,
    });
    const first = await look(0, 1);
    expect([first.end, first.unsettled]).toEqual([512, [0]]);
    const second = await look(first.end, 1);
    expect([second.end, [...second.unsettled].sort()]).toEqual([701, [600, 601]]);
  });

  it('concludes nothing above what was enqueued', async () => {
    await sink.enqueue(claim, -1, batch(0, 3));
    expect((await look()).end).toBe(4);
  });

  it('keeps no keys for what is settled', async () => {
    await sink.enqueue(claim, -1, batch(0, 1_200));
    for (const key of await jobKeys()) await redis.del(key);
    expect(await look()).toMatchObject({ absent: 1_201, unsettled: [] });
    expect((await redis.keys(`${KEY}*`)).sort()).toEqual([KEY]);
  });

  it('removes a dead job with all of its keys once it is buried, and only a dead one', async () => {
    await sink.enqueue(claim, -1, batch(0, 1));
    await redis.zadd('bull:mail:failed', 1, 'k~t~0~0~0');
    await redis.rpush('bull:mail:k~t~0~0~0:logs', 'line');
    expect(await sink.bury(claim, 1, { offset: 0, queue: 'mail' })).toBe(true);
    expect(await sink.bury(claim, 1, { offset: 1, queue: 'mail' })).toBe(false);
    expect(await redis.keys('bull:mail:k~*')).toEqual(['bull:mail:k~t~0~0~1']);
    expect((await look()).unsettled).toEqual([1]);
  });
});
