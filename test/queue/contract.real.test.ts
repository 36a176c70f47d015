/**
 * The differential contract: the same jobs through BullMQ's own `Queue` and through our fenced script into two queues,
 * then every key of the two is compared, type and content. Guards add-bullmq.lua, and the fallback alike.
 */
import { Queue } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Job } from '../../src/job/job.ts';
import { bullOptions } from '../../src/job/options.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder, stockAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Claim, Sink } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { type Content, contentOf, withoutZeroFields } from '../support/bull-content.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const NOW = 1_790_000_000_000;

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

function job(change: Partial<Job> = {}): Job {
  return {
    queue: 'mail',
    name: 'acme.v1.Test',
    data: '{"text":"ünï \\"x\\"","n":"9007199254740993"}',
    attempts: 3,
    backoff: { baseMs: 1000, maxMs: 60_000 },
    timestamp: NOW,
    delayMs: 0,
    priority: 0,
    about: { key: 'k', headers: { trace: '1' } },
    ...change,
  };
}

/** The same job of a lean queue. */
const lean = (of: Job, attempts?: number): Job => ({ ...of, attempts, backoff: undefined });

type Prepare = (queue: Queue) => Promise<unknown>;

const SCENARIOS: Record<string, { jobs: Job[]; prepare?: Prepare }> = {
  'waiting jobs': { jobs: [job(), job({ about: {} }), job({ name: 'acme.v1.Other', data: '{}' })] },
  'one delayed job': { jobs: [job({ delayMs: 5000 })] },
  'delayed jobs, some due at the same millisecond, the later first': {
    jobs: [job({ delayMs: 9000 }), job({ delayMs: 5000 }), job({ delayMs: 5000 }), job({ delayMs: 5000 })],
  },
  'prioritized jobs': {
    jobs: [job({ priority: 5 }), job({ priority: 1 }), job({ priority: 2_097_151 }), job({ priority: 5 })],
  },
  'all kinds in one batch': {
    jobs: [job(), job({ delayMs: 100 }), job({ priority: 3 }), job(), job({ delayMs: 100, priority: 3 })],
  },
  'a paused queue': { jobs: [job(), job({ priority: 2 }), job({ delayMs: 100 })], prepare: (queue) => queue.pause() },
  'a queue at its global concurrency': {
    jobs: [job(), job({ priority: 2 })],
    prepare: async (queue) => {
      await queue.setGlobalConcurrency(1);
      await redis.rpush(queue.toKey('active'), 'somebody');
    },
  },
  'a queue below its global concurrency': { jobs: [job()], prepare: (queue) => queue.setGlobalConcurrency(2) },
  'a queue that keeps few events': {
    jobs: [job(), job()],
    prepare: (queue) => redis.hset(queue.toKey('meta'), 'opts.maxLenEvents', 500),
  },
};

describe.each([
  ['our adder', ownAdder, true],
  ["BullMQ's own scripts", stockAdder, false],
])('%s', (_name, adder, savesFields) => {
  it.each(Object.entries(SCENARIOS))('writes what BullMQ writes: %s', async (_scenario, { jobs, prepare }) => {
    await redis.flushall();
    const stock = await throughBullMq(jobs, prepare);
    await redis.flushall();
    const ours = await throughSink(adder(), jobs, prepare);
    expect(ours).toEqual(stock);
  });

  it.each(Object.entries(SCENARIOS))('writes on a lean queue what BullMQ writes: %s', async (_, { jobs, prepare }) => {
    const leanJobs = jobs.map((each, i) => lean(each, i % 2 === 0 ? undefined : 7));
    await redis.flushall();
    const stock = await throughBullMq(leanJobs, prepare);
    await redis.flushall();
    const ours = await throughSink(adder(), leanJobs, prepare);
    expect(ours).toEqual(savesFields ? withoutZeroFields(stock) : stock);
  });

  it.each([
    ['a full queue', job(), job()],
    ['a lean queue', lean(job()), lean(job())],
    ['a queue that was made lean meanwhile', job(), lean(job())],
    ['a queue that was lean', lean(job()), job()],
    ['a lean queue, due meanwhile', lean(job({ delayMs: 5000 })), lean(job())],
    ['a lean queue, put off meanwhile', lean(job()), lean(job({ delayMs: 5000, priority: 2 }))],
  ])('adds a job once, also when the batch comes again or the ledger has been lost: %s', async (_, first, again) => {
    await redis.flushall();
    const { sink, claim, close } = await openSink(adder());
    const batch = (each: Job) => ({ jobs: [0, 1].map((offset) => ({ offset, job: each })), last: 1 });
    expect(await sink.enqueue(claim, -1, batch(first))).toMatchObject({ status: 'ok', created: 2, enqueued: 1 });
    expect(await sink.enqueue(claim, -1, batch(again))).toMatchObject({ status: 'ok', created: 0, enqueued: 1 });
    await redis.hdel('sluice:ledger:c:g:t:0', 'enqueued');
    expect(await sink.enqueue(claim, -1, batch(again))).toMatchObject({ status: 'ok', created: 0, existed: 2 });
    const place = first.delayMs > 0 ? redis.zcard('bull:mail:delayed') : redis.llen('bull:mail:wait');
    expect(await place).toBe(2);
    expect(await redis.exists('bull:mail:wait', 'bull:mail:delayed', 'bull:mail:prioritized')).toBe(1);
    await close();
  });

  it('writes nothing at maxmemory, not even the ledger', async () => {
    await redis.flushall();
    const { sink, claim, close } = await openSink(adder());
    await redis.config('SET', 'maxmemory', '1mb');
    await expect(sink.enqueue(claim, -1, { jobs: [{ offset: 0, job: job() }], last: 0 })).rejects.toMatchObject({
      code: 'REDIS_REFUSES',
    });
    await redis.config('SET', 'maxmemory', '0');
    expect(await redis.keys('bull:*')).toEqual([]);
    expect(await redis.hget('sluice:ledger:c:g:t:0', 'enqueued')).toBeNull();
    await close();
  });

  it('goes on after SCRIPT FLUSH', async () => {
    await redis.flushall();
    const { sink, claim, close } = await openSink(adder());
    await redis.script('FLUSH');
    expect(await sink.enqueue(claim, -1, { jobs: [{ offset: 0, job: job() }], last: 0 })).toMatchObject({
      status: 'ok',
      created: 1,
    });
    await close();
  });
});

it.each([
  ['at once', lean(job({ about: {} })), '{"removeOnFail":false,"sl":{}}', {}],
  ['with a key', lean(job({ about: { key: 'k' } })), '{"removeOnFail":false,"sl":{"key":"k"}}', {}],
  ['with attempts of its own', lean(job({ about: {} }), 3), '{"attempts":3,"removeOnFail":false,"sl":{}}', {}],
  [
    'delayed',
    lean(job({ delayMs: 5000, about: {} })),
    '{"removeOnFail":false,"delay":5000,"sl":{}}',
    { delay: '5000' },
  ],
  [
    'with a priority',
    lean(job({ priority: 7, about: {} })),
    '{"removeOnFail":false,"priority":7,"sl":{}}',
    { priority: '7' },
  ],
  [
    'with both',
    lean(job({ delayMs: 5000, priority: 7, about: {} })),
    '{"removeOnFail":false,"delay":5000,"priority":7,"sl":{}}',
    { delay: '5000', priority: '7' },
  ],
])("writes of a lean queue's job what it has and no more: %s", async (_, each, opts, more) => {
  await redis.flushall();
  await throughSink(ownAdder(), [each]);
  const { name, data } = each;
  const told = { name, data, opts, timestamp: String(NOW), ...more };
  expect(await redis.hgetall('bull:mail:k~t~0~0~0')).toEqual(told);
});

async function openSink(adder: string): Promise<{ sink: Sink; claim: Claim; close: () => Promise<void> }> {
  const connection = connect('test', server, 'command', silentLog);
  const sink = createBullSink({ name: 'test', redis: connection, prefix: 'bull', adder });
  return { sink, claim: (await sink.claim(LEDGER, 0)) as Claim, close: () => disconnect(connection) };
}

async function throughBullMq(jobs: readonly Job[], prepare?: Prepare): Promise<Content> {
  const queue = new Queue('mail', { connection: redis });
  await queue.waitUntilReady();
  await prepare?.(queue);
  for (const [offset, each] of jobs.entries()) {
    const { delayMs, priority, timestamp } = each;
    const options = {
      ...bullOptions(each, true),
      jobId: `k~t~0~0~${offset}`,
      timestamp,
      ...(delayMs > 0 && { delay: delayMs }),
      priority,
    };
    await queue.add(each.name, JSON.parse(each.data), options);
  }
  return contentOf(redis, 'bull:mail:');
}

async function throughSink(adder: string, jobs: readonly Job[], prepare?: Prepare): Promise<unknown> {
  if (prepare !== undefined) {
    const queue = new Queue('mail', { connection: redis });
    await queue.waitUntilReady();
    await prepare(queue);
  }
  const { sink, claim, close } = await openSink(adder);
  const placed = jobs.map((each, offset) => ({ offset, job: each }));
  expect(await sink.enqueue(claim, -1, { jobs: placed, last: jobs.length - 1 })).toMatchObject({
    status: 'ok',
    created: jobs.length,
  });
  await close();
  return contentOf(redis, 'bull:mail:');
}
