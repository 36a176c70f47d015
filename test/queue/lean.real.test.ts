/**
 * A lean queue's jobs in the hands of BullMQ's own classes and scripts, which other programs and boards use: each thing that can
 * be done to a job is done to one that has every field and to one that goes without `delay` and `priority`, and must come
 * out alike.
 */
import { type Job as BullJob, Queue, UnrecoverableError, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder, stockAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Claim } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { contentOf, withoutZeroFields } from '../support/bull-content.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const TOKEN = 'a token';
const [AT_ONCE, DELAYED, PRIORITIZED] = ['k~t~0~0~0', 'k~t~0~0~1', 'k~t~0~0~2'];
const JOB: Job = {
  ...{ queue: 'mail', name: 'a.B', data: '{"text":"x"}', attempts: undefined, backoff: undefined },
  ...{ timestamp: Date.now(), delayMs: 0, priority: 0, about: { key: 'k' } },
};

let server: TestRedis;
let redis: Redis;
let queue: Queue;
let worker: Worker;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
  queue = new Queue('mail', { connection: redis });
  worker = new Worker('mail', undefined, { connection: redis, autorun: false });
});

afterAll(async () => {
  await worker.close();
  await queue.close();
  await disconnect(redis);
  await server.stop();
});

async function fill(adder: string): Promise<void> {
  await redis.flushall();
  const connection = connect('test', server, 'command', silentLog);
  const sink = createBullSink({ name: 'test', redis: connection, prefix: 'bull', adder });
  const claim = (await sink.claim({ cluster: 'c', group: 'g', topic: 't', partition: 0 }, 0)) as Claim;
  const jobs = [JOB, { ...JOB, delayMs: 3_600_000 }, { ...JOB, priority: 7 }].map((job, offset) => ({ offset, job }));
  expect(await sink.enqueue(claim, -1, { jobs, last: 2 })).toMatchObject({ created: 3 });
  await disconnect(connection);
}

const the = async (id: string | undefined) => (await queue.getJob(id as string)) as BullJob;
const take = async () => (await worker.getNextJob(TOKEN, { block: false })) as BullJob;
const failed = async (error = new Error('no luck')) => {
  error.stack = 'a stack';
  const job = await take();
  await job.moveToFailed(error, TOKEN);
  return job;
};

const DEEDS: Record<string, () => Promise<unknown>> = {
  promote: async () => (await the(DELAYED)).promote(),
  promoteJobs: () => queue.promoteJobs(),
  changeDelay: async () => (await the(DELAYED)).changeDelay(9_000_000),
  'changePriority, where there was none': async () => (await the(AT_ONCE)).changePriority({ priority: 3 }),
  'changePriority, to none': async () => (await the(PRIORITIZED)).changePriority({ priority: 0 }),
  'changePriority of a delayed job, and promote': async () => {
    await (await the(DELAYED)).changePriority({ priority: 3 });
    await (await the(DELAYED)).promote();
  },
  'move to completed': async () => (await take()).moveToCompleted('done', TOKEN, false),
  'move to completed, and take the next': async () => {
    const [next] = ((await (await take()).moveToCompleted('done', TOKEN, true)) ?? []) as { id: string }[];
    return next?.id;
  },
  'fail: it is dead at once': async () => (await failed()).isFailed(),
  'fail for good': async () => (await failed(new UnrecoverableError('never'))).isFailed(),
  'fail, with attempts that its worker gives it': async () => {
    const job = await take();
    job.opts.attempts = 2;
    job.opts.backoff = { type: 'fixed', delay: 1_000 };
    await job.moveToFailed(Object.assign(new Error('no luck'), { stack: 'a stack' }), TOKEN);
  },
  'fail, and be tried again at once': async () => {
    const job = await take();
    job.opts.attempts = 2;
    await job.moveToFailed(Object.assign(new Error('no luck'), { stack: 'a stack' }), TOKEN);
  },
  'retry from a board': async () => (await failed()).retry('failed'),
  retryJobs: async () => {
    await failed();
    await queue.retryJobs();
  },
  'move back to wait': async () => (await take()).moveToWait(TOKEN),
  'move to delayed': async () => (await take()).moveToDelayed(Date.now() + 3_600_000, TOKEN),
  'be found stalled': async () => {
    await take();
    await redis.del('bull:mail:k~t~0~0~0:lock');
    const check = worker as unknown as { moveStalledJobsToWait(): Promise<void> };
    await check.moveStalledJobsToWait();
    await redis.del('bull:mail:stalled-check');
    await check.moveStalledJobsToWait();
  },
  'be looked at': async () => [
    await queue.getJobCounts(),
    await queue.getCountsPerPriority([0, 7]),
    await Promise.all([AT_ONCE, DELAYED, PRIORITIZED].map((id) => queue.getJobState(id as string))),
    (await queue.getJobs()).map(({ id, data, opts, timestamp }) => ({ id, data, opts, timestamp })),
  ],
  'be changed': async () => {
    const job = await the(AT_ONCE);
    await job.updateData({ text: 'y' });
    await job.updateProgress(50);
    await job.log('a line');
  },
  remove: async () => (await the(AT_ONCE)).remove(),
  drain: () => queue.drain(true),
  clean: () => queue.clean(0, 10, 'wait'),
  pause: () => queue.pause(),
  removeOrphanedJobs: () => queue.removeOrphanedJobs(),
  obliterate: () => queue.obliterate({ force: true }),
};

describe("BullMQ treats a lean queue's jobs as any others", () => {
  afterEach(() => void vi.useRealTimers());

  it.each(Object.entries(DEEDS))('%s', async (_, deed) => {
    // The clock stands still: BullMQ counts a delay from its own now, and both sorts of job must see the same one.
    vi.useFakeTimers({ toFake: ['Date'] });
    const results = [];
    for (const adder of [stockAdder(), ownAdder()]) {
      await fill(adder);
      const answer = await deed();
      results.push(withoutTimes({ answer, content: withoutZeroFields(await contentOf(redis, 'bull:mail:')) }));
    }
    expect(results[1]).toEqual(results[0]);
  });
});

it('is shown as JSON with what it has; what it goes without is null', async () => {
  await fill(ownAdder());
  const shown = async (id: string | undefined) => JSON.parse(JSON.stringify((await the(id)).toJSON()));
  const opts = { attempts: 0, removeOnFail: false, sl: { key: 'k' } };
  expect(await shown(AT_ONCE)).toMatchObject({ opts, delay: null, priority: null });
  expect(await shown(DELAYED)).toMatchObject({ opts: { ...opts, delay: 3_600_000 }, delay: 3_600_000 });
  expect(await shown(PRIORITIZED)).toMatchObject({ opts: { ...opts, priority: 7 }, priority: 7 });
});

function withoutTimes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null).replaceAll(/\d{13,}/g, '0'));
}
