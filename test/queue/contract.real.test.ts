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
import { contentOf } from '../support/bull-content.ts';
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
  ['our adder', ownAdder],
  ["BullMQ's own scripts", stockAdder],
])('%s', (_name, adder) => {
  it.each(Object.entries(SCENARIOS))('writes what BullMQ writes: %s', async (_scenario, { jobs, prepare }) => {
    await redis.flushall();
    const stock = await throughBullMq(jobs, prepare);
    await redis.flushall();
    const ours = await throughSink(adder(), jobs, prepare);
    expect(ours).toEqual(stock);
  });

  it('adds a job once, also when the batch comes again or the ledger has been lost', async () => {
    await redis.flushall();
    const { sink, claim, close } = await openSink(adder());
    const batch = {
      jobs: [
        { offset: 0, job: job() },
        { offset: 1, job: job() },
      ],
      last: 1,
    };
    expect(await sink.enqueue(claim, -1, batch)).toMatchObject({ status: 'ok', created: 2, enqueued: 1 });
    expect(await sink.enqueue(claim, -1, batch)).toMatchObject({ status: 'ok', created: 0, enqueued: 1 });
    await redis.hdel('sluice:ledger:c:g:t:0', 'enqueued');
    expect(await sink.enqueue(claim, -1, batch)).toMatchObject({ status: 'ok', created: 0, existed: 2 });
    expect(await redis.llen('bull:mail:wait')).toBe(2);
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

async function openSink(adder: string): Promise<{ sink: Sink; claim: Claim; close: () => Promise<void> }> {
  const connection = connect('test', server, 'command', silentLog);
  const sink = createBullSink({ name: 'test', redis: connection, prefix: 'bull', adder });
  return { sink, claim: (await sink.claim(LEDGER, 0)) as Claim, close: () => disconnect(connection) };
}

async function throughBullMq(jobs: readonly Job[], prepare?: Prepare): Promise<unknown> {
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
