/** The ledger's fence, call by call: who may act, and what a refused call leaves behind. */
import { Queue } from 'bullmq';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder, stockAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Batch, BullSink, Claim, Counted, Inspected, Listed } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const KEY = 'sluice:ledger:c:g:t:0';

let server: TestRedis;
let redis: Redis;
let sink: BullSink;
let claim: Claim;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createBullSink({
    name: 'test',
    redis,
    prefix: 'bull',
    adder: ownAdder(),
  });
});

beforeEach(async () => {
  await redis.flushall();
  claim = (await sink.claim(LEDGER, 0)) as Claim;
});

afterAll(async () => {
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
    expect(await sink.claim(LEDGER, 0)).toMatchObject({ status: 'corrupt' });
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

  it.each(['wait', 'marker', 'meta', 'events', 'id', 'delayed', 'prioritized', 'pc'])(
    'refuses one whose %s is none',
    async (key) => {
      await redis.lpush(`bull:mail:${key}`, 'x');
      if (key === 'wait') await redis.set('bull:mail:wait', 'x');
      const { jobs, last } = batch(0, 4);
      const some = jobs.map((each, i) => ({
        ...each,
        job: { ...each.job, delayMs: i === 2 ? 60_000 : 0, priority: i === 3 ? 7 : 0 },
      }));
      expect(await sink.enqueue(claim, -1, { jobs: some, last })).toMatchObject({
        status: 'refused',
        queue: 'mail',
        why: `wrong-type bull:mail:${key}`,
      });
      expect(await redis.hget(KEY, 'enqueued')).toBeNull();
    },
  );

  it.each(['active', 'delayed', 'prioritized', 'pc'])(
    'refuses one whose %s is none for any job, where the scripts are those of an untested BullMQ',
    async (key) => {
      await redis.hset(`bull:mail:${key}`, 'x', 'y');
      const stock = createBullSink({ name: 'test', redis, prefix: 'bull', adder: stockAdder() });
      expect(await stock.enqueue(claim, -1, batch(0, 4))).toMatchObject({ why: `wrong-type bull:mail:${key}` });
      expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({ status: 'ok' });
    },
  );

  it('refuses one whose jobs that run are no list, where it has to count them', async () => {
    await redis.set('bull:mail:active', 'x');
    await redis.hset('bull:mail:meta', 'concurrency', '5');
    expect(await sink.enqueue(claim, -1, batch(0, 4))).toMatchObject({
      status: 'refused',
      why: 'wrong-type bull:mail:active',
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
    await redis.zadd('bull:mail:completed', 1, 'k~t~0~0~4');
    await redis.hset('bull:mail:k~t~0~0~5', { finishedOn: '1', failedReason: 'no' });
    await redis.zadd('bull:mail:failed', 1, 'k~t~0~0~5');
    await redis.hset('bull:mail:k~t~0~0~6', 'failedReason', 'between attempts');
    expect(await look()).toMatchObject({ end: 10, completed: 1, gone: 1, dead: [{ offset: 5, queue: 'mail' }] });
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
    expect(await look()).toMatchObject({ gone: 1_201, unsettled: [] });
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

describe('counting and listing', () => {
  it('counts blocks of offsets without a look at a job, and lists what is unsettled in them', async () => {
    await sink.enqueue(claim, -1, { jobs: [...batch(3, 4).jobs, ...batch(600, 601, 'other').jobs], last: 2_000 });
    await redis.del('bull:mail:k~t~0~0~3');
    expect(await sink.count(claim, 0, 0, 100)).toMatchObject({
      end: 2_001,
      blocks: [
        { start: 0, end: 512, unsettled: 2 },
        { start: 512, end: 1_024, unsettled: 2 },
      ],
      queues: ['mail', 'other'],
    });
    const listed = (await sink.list(claim, 0, 0, 10_000)) as Listed;
    expect([listed.end, [...listed.unsettled].sort()]).toEqual([2_001, [3, 4, 600, 601]]);
  });

  it('goes through blocks with more queues than it reads at once, and leaves none of a block out', async () => {
    const at = (offset: number) => Array.from({ length: 50 }, (_, i) => batch(offset + i, offset + i, `q${i}`).jobs[0]);
    await sink.enqueue(claim, -1, { jobs: [0, 512, 1_024].flatMap(at) as Batch['jobs'], last: 1_100 });
    const { blocks, end, queues } = (await sink.count(claim, 0, 0, 60)) as Counted;
    expect([blocks.map(({ unsettled }) => unsettled), end, queues.length]).toEqual([[50, 50], 1_024, 50]);
    const listed = (await sink.list(claim, 0, 0, 60)) as Listed;
    expect([listed.unsettled.length, listed.end]).toEqual([100, 1_024]);
    for (const key of await redis.keys('bull:q*:k~*')) await redis.del(key);
    expect(await sink.inspect(claim, 0, 0, 60)).toMatchObject({ gone: 100, end: 1_024 });
    expect(await sink.inspect(claim, 0, 0, 60)).toMatchObject({ gone: 50, end: 1_101, unsettled: [] });
  });

  it('counts so many blocks and says how far', async () => {
    await sink.enqueue(claim, -1, batch(0, 2_000));
    const counted = (await sink.count(claim, 0, 600, 2)) as Counted;
    expect([counted.from, counted.end, counted.blocks.length]).toEqual([512, 1_536, 2]);
  });
});

describe('settling what a queue lists as finished', () => {
  /** As BullMQ writes it. */
  async function finish(state: 'completed' | 'failed', ...offsets: number[]) {
    for (const offset of offsets) {
      await redis.lrem('bull:mail:wait', 1, `k~t~0~0~${offset}`);
      await redis.hset(`bull:mail:k~t~0~0~${offset}`, 'finishedOn', offset);
      await redis.zadd(`bull:mail:${state}`, offset, `k~t~0~0~${offset}`);
    }
  }

  it('takes completed jobs away and tells what is dead', async () => {
    await sink.enqueue(claim, -1, batch(0, 5));
    await finish('completed', 1, 4);
    await finish('failed', 2);
    await redis.zadd('bull:mail:completed', 5, 'foreign');
    const { ids, next } = await sink.finishedSince('mail', 'completed', 0, Date.now());
    expect(ids).toEqual(['k~t~0~0~1', 'k~t~0~0~4', 'foreign']);
    expect(next).toBe(0);
    expect(await sink.settle(claim, 0, 'mail', [0, 1, 2, 4])).toEqual({ status: 'ok', settled: [1, 4], dead: [2] });
    expect(await redis.zrange('bull:mail:completed', '0', '-1')).toEqual(['foreign']);
    expect((await sink.list(claim, 0, 0, 100)) as Listed).toMatchObject({ unsettled: [0, 2, 3, 5] });
    expect(await redis.exists('bull:mail:k~t~0~0~1', 'bull:mail:k~t~0~0~4')).toBe(0);
    expect(await redis.exists('bull:mail:k~t~0~0~0', 'bull:mail:k~t~0~0~2')).toBe(2);
  });

  it('takes a page of nothing but completed jobs away, over blocks of the ledger', async () => {
    await sink.enqueue(claim, -1, batch(0, 1_100));
    const offsets = [1_024, 0, 510, 511, 512, 513, 1_023];
    await finish('completed', ...offsets);
    await redis.rpush('bull:mail:k~t~0~0~511:logs', 'line');
    expect(await sink.settle(claim, 0, 'mail', offsets)).toEqual({ status: 'ok', settled: offsets, dead: [] });
    expect(await redis.zcard('bull:mail:completed')).toBe(0);
    const { unsettled } = (await sink.list(claim, 0, 0, 2_000)) as Listed;
    expect([unsettled.length, offsets.some((offset) => unsettled.includes(offset))]).toEqual([1_101 - 7, false]);
    expect(await jobKeys()).toHaveLength(1_101 - 7);
  });

  it('leaves what was sent to work again or taken away since the page was read', async () => {
    await sink.enqueue(claim, -1, batch(0, 3));
    await finish('completed', 0, 1, 2);
    const queue = new Queue('mail', { connection: redis });
    await (await queue.getJob('k~t~0~0~1'))?.retry('completed');
    await (await queue.getJob('k~t~0~0~2'))?.remove();
    expect(await sink.settle(claim, 0, 'mail', [0, 1, 2])).toEqual({ status: 'ok', settled: [0], dead: [] });
    expect(await redis.lrange('bull:mail:wait', 0, -1)).toContain('k~t~0~0~1');
    expect(await redis.hget('bull:mail:k~t~0~0~1', 'name')).toBe('a.B');
    await queue.close();
    expect((await sink.list(claim, 0, 0, 100)) as Listed).toMatchObject({ unsettled: [1, 2, 3] });
  });

  it('touches nothing where a key of the queue holds something else', async () => {
    await sink.enqueue(claim, -1, batch(0, 1));
    await redis.set('bull:mail:failed', 'mine');
    await finish('completed', 0);
    expect(await sink.settle(claim, 0, 'mail', [0, 1])).toEqual({ status: 'ok', settled: [], dead: [] });
    expect(await redis.zcard('bull:mail:completed')).toBe(1);
  });
});

describe('reconciling', () => {
  const claimAgain = async () => (await sink.claim(LEDGER, 0)) as Claim;

  it('is over at once where nothing is unsettled', async () => {
    expect(claim.isReconciled).toBe(false);
    expect(await sink.reconcile(claim, [{ start: 0, end: 100 }])).toEqual({ status: 'ok', removed: 0 });
    expect((await claimAgain()).isReconciled).toBe(true);
  });

  it('removes the jobs of finished offsets in any state, and nothing else', async () => {
    await sink.enqueue(claim, -1, batch(0, 1_400));
    const id = (offset: number) => `k~t~0~0~${offset}`;
    const into = (place: string, offset: number) =>
      Promise.all([redis.lrem('bull:mail:wait', 1, id(offset)), redis.zadd(`bull:mail:${place}`, '1', id(offset))]);
    await Promise.all([into('delayed', 1), into('failed', 2), into('prioritized', 3), into('completed', 1_399)]);
    await redis.lrem('bull:mail:wait', 1, id(4));
    await redis.lpush('bull:mail:active', id(4));
    await redis.set(`bull:mail:${id(4)}:lock`, 'token');
    const finished = [
      { start: 0, end: 5 },
      { start: 510, end: 515 },
      { start: 700, end: 701 },
      { start: 1_399, end: 1_400 },
      { start: 5_000, end: 6_000 },
    ];
    expect(await sink.reconcile(claim, finished)).toEqual({ status: 'ok', removed: 12 });
    const listed = (await sink.list(claim, 0, 0, 10_000)) as Listed;
    expect(listed.unsettled.length).toBe(1_401 - 12);
    expect((await jobKeys()).length).toBe(1_401 - 12);
    expect(await redis.llen('bull:mail:wait')).toBe(1_401 - 12);
    expect(await redis.exists('bull:mail:active', 'bull:mail:delayed', 'bull:mail:failed', 'bull:mail:completed')).toBe(
      0,
    );
  });

  it('takes more ranges than go into one call, and more removals', async () => {
    await sink.enqueue(claim, -1, batch(0, 5_999));
    const finished = Array.from({ length: 3_000 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 }));
    expect(await sink.reconcile(claim, finished)).toEqual({ status: 'ok', removed: 3_000 });
    const listed = (await sink.list(claim, 0, 0, 10_000)) as Listed;
    expect(listed.unsettled.every((offset) => offset % 2 === 1)).toBe(true);
    expect((await claimAgain()).isReconciled).toBe(true);
  });

  it('looks at everything, however many queues there are', async () => {
    const { job } = batch(0, 0).jobs[0] as { job: Job };
    const jobs = Array.from({ length: 30_000 }, (_, offset) => ({ offset, job: { ...job, queue: `q${offset % 20}` } }));
    for (let at = 0; at < jobs.length; at += 500)
      await sink.enqueue(claim, at - 1, { jobs: jobs.slice(at, at + 500), last: at + 499 });
    expect(await sink.reconcile(claim, [{ start: 25_000, end: 30_000 }])).toEqual({ status: 'ok', removed: 5_000 });
    expect(await redis.exists('bull:q19:k~t~0~0~29999', 'bull:q0:k~t~0~0~25000')).toBe(0);
  });

  it('holds redis for moments only, where the jobs of another partition stand first in line', async () => {
    const other = (await sink.claim({ ...LEDGER, partition: 1 }, 0)) as Claim;
    await sink.enqueue(claim, -1, batch(0, 999));
    for (let at = 0; at < 50_000; at += 500) await sink.enqueue(other, at - 1, batch(at, at + 499));
    await redis.eval("for i = 1, 1000 do redis.call('RPOPLPUSH', 'bull:mail:wait', 'bull:mail:wait') end", 0);
    await redis.config('RESETSTAT');
    expect(await sink.reconcile(claim, [{ start: 0, end: 1_000 }])).toEqual({ status: 'ok', removed: 1_000 });
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    expect(calls).toBeGreaterThan(3);
  });

  it('is for the owner only, and for the history that was claimed', async () => {
    await claimAgain();
    expect(await sink.reconcile(claim, [])).toMatchObject({ status: 'disowned' });
    const later = await claimAgain();
    expect(await sink.reconcile({ ...later, incarnation: 'another' }, [])).toMatchObject({ status: 'reborn' });
    expect((await claimAgain()).isReconciled).toBe(false);
  });

  it('writes nothing where a key of the queue holds something else', async () => {
    await sink.enqueue(claim, -1, batch(0, 4));
    await redis.set('bull:mail:delayed', 'x');
    expect(await sink.reconcile(claim, [{ start: 0, end: 5 }])).toMatchObject({ status: 'corrupt' });
    expect((await jobKeys()).length).toBe(5);
  });
});
