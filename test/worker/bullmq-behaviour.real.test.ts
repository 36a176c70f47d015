/**
 * What BullMQ's own published tests say of its Worker, as behaviour: each case is run by a stock Worker and by Sluice's
 * host on a fresh queue, with the same jobs, and must come out alike: the order of runs, the states of the jobs, and the
 * events that are told. docs/compatibility.md lists the cases.
 */
import { type JobsOptions, Queue, UnrecoverableError, Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { defineWorkerFor } from '../../src/definition/define.ts';
import { workerSet } from '../../src/definition/discover.ts';
import type { Outcome, WorkerDefinition } from '../../src/definition/worker.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { createBullHost } from '../../src/worker/hosts/bullmq.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';

const QUEUE = 'compared';
const TYPE = 'acme.web.v1.PageView';
const SOON = { timeout: 20_000, interval: 10 };
const schemas = loadSchemas([`${ROOT}proto`]);

let server: TestRedis;
let redis: Redis;
let stops: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
});

afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** What a run comes to: nothing is success, a text the reason of a failure; `dead:` of one for good. */
type Run = (id: string, attempt: number) => Promise<string | void> | string | void;
type StartWorker = (run: Run, concurrency: number) => void;

interface Case {
  readonly concurrency?: number;
  readonly given?: (queue: Queue) => Promise<unknown>;
  /** Adds jobs, with a worker that has been started; resolves when there is nothing more to come. */
  readonly when?: (queue: Queue, start: () => void) => Promise<unknown>;
  readonly run?: Run;
  /** Whether the order in which runs end and begin is the same each time. */
  readonly isOrdered?: boolean;
}

const add = (queue: Queue, id: string, options: JobsOptions = {}) =>
  queue.add(TYPE, { url: id }, { jobId: id, ...options });

const addAll = async (queue: Queue, jobs: Record<string, JobsOptions>) => {
  for (const [id, options] of Object.entries(jobs)) await add(queue, id, options);
};

const finished = (queue: Queue, count: number) =>
  vi.waitFor(async () => {
    const { completed = 0, failed = 0, active } = await queue.getJobCounts();
    expect([completed + failed, active]).toEqual([count, 0]);
  }, SOON);

const FIXED = { type: 'fixed', delay: 20 };

const CASES: Record<string, Case> = {
  'processes jobs in the order in which they were added': {
    given: (queue) => addAll(queue, { a: {}, b: {}, c: {} }),
  },
  'processes jobs that are added later': {
    isOrdered: false,
    when: async (queue, start) => {
      start();
      await addAll(queue, { a: {} });
      await finished(queue, 1);
      await addAll(queue, { b: {}, c: {} });
      await finished(queue, 3);
    },
  },
  'processes the last first where it was asked for': {
    given: (queue) => addAll(queue, { a: {}, b: { lifo: true }, c: { lifo: true } }),
  },
  'processes by priority, jobs without one first': {
    given: (queue) =>
      addAll(queue, { a: { priority: 7 }, b: { priority: 1 }, c: {}, d: { priority: 7 }, e: { priority: 3 } }),
  },
  'processes delayed jobs when they are due, in that order': {
    when: async (queue, start) => {
      await addAll(queue, { late: { delay: 300 }, soon: { delay: 100 }, now: {} });
      start();
      await finished(queue, 3);
    },
  },
  'wakes up for a delayed job while it sleeps': {
    when: async (queue, start) => {
      start();
      await vi.waitFor(async () => expect(await redis.client('LIST')).toContain('cmd=bzpopmin'), SOON);
      await add(queue, 'a', { delay: 150 });
      await finished(queue, 1);
    },
  },
  'retries a failed job with a backoff, and tells of it': {
    given: (queue) => addAll(queue, { a: { attempts: 3, backoff: FIXED } }),
    run: (_id, attempt) => (attempt < 3 ? `no luck ${attempt}` : undefined),
  },
  'fails a job for good after its attempts': {
    given: (queue) => addAll(queue, { a: { attempts: 2, backoff: FIXED }, b: {} }),
    run: (id) => (id === 'a' ? 'no luck' : undefined),
  },
  'does not retry what cannot be recovered': {
    given: (queue) => addAll(queue, { a: { attempts: 5, backoff: FIXED } }),
    run: () => 'dead: never',
  },
  'goes on with the others while one waits to be retried': {
    given: (queue) => addAll(queue, { a: { attempts: 2, backoff: { type: 'fixed', delay: 300 } }, b: {}, c: {} }),
    run: (id, attempt) => (id === 'a' && attempt === 1 ? 'later' : undefined),
  },
  'keeps no more completed jobs than it was told to': {
    given: (queue) =>
      addAll(queue, Object.fromEntries(['a', 'b', 'c', 'd'].map((id) => [id, { removeOnComplete: 2 }]))),
    when: async (queue, start) => {
      start();
      await vi.waitFor(async () => {
        const { waiting, active } = await queue.getJobCounts();
        expect([waiting, active]).toEqual([0, 0]);
      }, SOON);
    },
  },
  'keeps no more failed jobs than it was told to': {
    given: (queue) =>
      addAll(queue, Object.fromEntries(['a', 'b', 'c'].map((id) => [id, { attempts: 1, removeOnFail: 1 }]))),
    run: () => 'no luck',
    when: async (queue, start) => {
      start();
      await vi.waitFor(async () => {
        const { waiting, active } = await queue.getJobCounts();
        expect([waiting, active]).toEqual([0, 0]);
      }, SOON);
    },
  },
  'removes a job at its end where it was asked for': {
    given: (queue) => addAll(queue, { a: { removeOnComplete: true }, b: {} }),
    when: async (queue, start) => {
      start();
      await finished(queue, 1);
    },
  },
  'takes nothing while the queue is paused, and goes on when it is resumed': {
    given: (queue) => queue.pause(),
    when: async (queue, start) => {
      start();
      await addAll(queue, { a: {}, b: {} });
      await systemClock.sleep(300);
      expect(await queue.getJobCounts()).toMatchObject({ completed: 0, active: 0 });
      await queue.resume();
      await finished(queue, 2);
    },
  },
  'finishes what runs when the queue is paused': {
    run: () => systemClock.sleep(200),
    given: (queue) => addAll(queue, { a: {}, b: {} }),
    when: async (queue, start) => {
      start();
      await vi.waitFor(async () => expect(await queue.getActiveCount()).toBe(1), SOON);
      await queue.pause();
      await vi.waitFor(async () => expect(await queue.getCompletedCount()).toBe(1), SOON);
      await systemClock.sleep(200);
      expect(await queue.getJobCounts()).toMatchObject({ completed: 1, active: 0 });
      await queue.resume();
      await finished(queue, 2);
    },
  },
  'runs at most as many at once as its concurrency': {
    concurrency: 3,
    isOrdered: false,
    run: () => systemClock.sleep(30),
    given: (queue) => addAll(queue, Object.fromEntries([...'abcdefgh'].map((id) => [id, {}]))),
  },
  'runs at most as many at once as the queue allows': {
    concurrency: 5,
    isOrdered: false,
    run: () => systemClock.sleep(30),
    given: async (queue) => {
      await queue.setGlobalConcurrency(2);
      await addAll(queue, Object.fromEntries([...'abcdef'].map((id) => [id, {}])));
    },
  },
  'completes a job whose children are done, after them': {
    isOrdered: false,
    given: async () => {
      const { FlowProducer } = await import('bullmq');
      const flow = new FlowProducer({ connection: redis });
      const child = (id: string) => ({ name: TYPE, queueName: QUEUE, data: { url: id }, opts: { jobId: id } });
      await flow.add({
        name: TYPE,
        queueName: QUEUE,
        data: { url: 'p' },
        opts: { jobId: 'p' },
        children: ['a', 'b'].map(child),
      });
    },
    when: async (queue, start) => {
      start();
      await finished(queue, 3);
    },
  },
  'lets a job with the same deduplication id in once the first is done': {
    when: async (queue, start) => {
      const deduplication = { id: 'one' };
      await addAll(queue, { a: { deduplication }, b: { deduplication } });
      start();
      await finished(queue, 1);
      await add(queue, 'c', { deduplication });
      await finished(queue, 2);
    },
  },
  'runs a job of a scheduler, and makes the next': {
    isOrdered: false,
    when: async (queue, start) => {
      await queue.upsertJobScheduler('each', { every: 200, limit: 2 }, { name: TYPE, data: { url: 'scheduled' } });
      start();
      await finished(queue, 2);
    },
  },
};

function startStock(run: Run, concurrency: number): void {
  const process = async ({ data, attemptsMade }: { data: { url: string }; attemptsMade: number }) => {
    const failure = await run(data.url, attemptsMade + 1);
    if (failure?.startsWith('dead: ')) throw new UnrecoverableError(failure);
    if (failure !== undefined) throw new Error(failure);
  };
  const worker = new Worker(QUEUE, process, { connection: redis, concurrency });
  worker.on('error', () => undefined);
  stops.push(() => worker.close());
}

function startOurs(run: Run, concurrency: number): void {
  const definition = defineWorkerFor<{ url: string }>(TYPE, {
    queue: QUEUE,
    attempts: 1,
    run: async ({ url }, { attempt }): Promise<Outcome | void> => {
      const failure = await run(url, attempt);
      if (failure?.startsWith('dead: ')) return { kind: 'dead', reason: failure };
      if (failure !== undefined) throw new Error(failure);
    },
  });
  const host = createBullHost({
    queue: QUEUE,
    prefix: 'bull',
    concurrency,
    connection: redis,
    workers: workerSet([{ file: '', definition: definition as WorkerDefinition }]),
    schemas,
    portFor: () => ({ track: async () => undefined }),
    log: silentLog,
    metrics: createMetrics(),
    clock: systemClock,
  });
  void host.start();
  stops.push(() => host.stop(1_000));
}

async function play(
  { given, when, run, concurrency = 1, isOrdered = true }: Case,
  start: StartWorker,
): Promise<unknown> {
  await redis.flushall();
  const queue = new Queue(QUEUE, { connection: redis });
  const runs: string[] = [];
  const seen = { busy: 0, most: 0 };
  const noted: Run = async (id, attempt) => {
    runs.push(`${id} ${attempt}`);
    seen.busy += 1;
    seen.most = Math.max(seen.most, seen.busy);
    try {
      return await run?.(id, attempt);
    } finally {
      seen.busy -= 1;
    }
  };
  await given?.(queue);
  const total = (await queue.getJobCountByTypes('waiting', 'prioritized', 'delayed')) as number;
  const begin = () => start(noted, concurrency);
  if (when === undefined) begin();
  await (when === undefined ? finished(queue, total) : when(queue, begin));
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
  return { runs: isOrdered ? runs : runs.sort(), most: seen.most, ...(await left(queue, isOrdered)) };
}

/** What can be seen from outside when all is over. */
async function left(queue: Queue, isOrdered: boolean): Promise<object> {
  const jobs = await queue.getJobs(['completed', 'failed', 'delayed', 'waiting', 'prioritized', 'active']);
  const states = jobs.map(({ data, failedReason, attemptsMade, attemptsStarted, returnvalue }) => {
    return { id: (data as { url: string }).url, failedReason, attemptsMade, attemptsStarted, returnvalue };
  });
  const entries = (await redis.xrange(`bull:${QUEUE}:events`, '-', '+')).map(([, fields]) => told(fields));
  states.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { states, counts: await queue.getJobCounts(), events: isOrdered ? entries : entries.sort() };
}

/** An event without times; ids of scheduled jobs are times. */
function told(fields: readonly string[]): string {
  return fields
    .join(' ')
    .replaceAll(/\d{13}/g, 'time')
    .replaceAll(/ delay \d+/g, '');
}

describe('the host beside a stock Worker', () => {
  it.each(Object.entries(CASES))('%s', async (_name, of) => {
    const stock = await play(of, startStock);
    expect(await play(of, startOurs)).toEqual(stock);
  });

  it('keeps to a rate limit of the queue, whatever its concurrency', async () => {
    await redis.flushall();
    const queue = new Queue(QUEUE, { connection: redis });
    await queue.setGlobalRateLimit(2, 400);
    const times: number[] = [];
    await addAll(queue, Object.fromEntries([...'abcdef'].map((id) => [id, {}])));
    startOurs(() => void times.push(Date.now()), 10);
    await finished(queue, 6);
    const [first = 0] = times;
    expect((times[2] ?? 0) - first).toBeGreaterThanOrEqual(350);
    expect((times[4] ?? 0) - first).toBeGreaterThanOrEqual(750);
  });

  it('shares a queue with a stock Worker: each job runs once', async () => {
    await redis.flushall();
    const queue = new Queue(QUEUE, { connection: redis });
    const runs: string[] = [];
    const noted: Run = async (id) => {
      runs.push(id);
      await systemClock.sleep(1);
    };
    const ids = Array.from({ length: 500 }, (_, i) => `job-${i}`);
    startStock(noted, 5);
    startOurs(noted, 5);
    await queue.addBulk(ids.map((id) => ({ name: TYPE, data: { url: id }, opts: { jobId: id } })));
    await finished(queue, 500);
    expect(runs.sort()).toEqual(ids.sort());
  });

  it('runs what a stock Worker held that died, and tells that it had stalled', async () => {
    await redis.flushall();
    const queue = new Queue(QUEUE, { connection: redis });
    await add(queue, 'a');
    const dead = new Worker(QUEUE, undefined, { connection: redis, autorun: false, lockDuration: 500 });
    await dead.getNextJob('a token', { block: false });
    const runs: string[] = [];
    startOurs((id, attempt) => void runs.push(`${id} ${attempt}`), 1);
    await finished(queue, 1);
    expect(runs).toEqual(['a 2']);
    const events = (await redis.xrange(`bull:${QUEUE}:events`, '-', '+')).map(([, fields]) => fields[1]);
    expect(events).toEqual(['added', 'waiting', 'active', 'waiting', 'stalled', 'active', 'completed', 'drained']);
    await dead.close();
  });

  it('keeps the lock of a job that runs for longer than it lasts', async () => {
    await redis.flushall();
    const queue = new Queue(QUEUE, { connection: redis });
    let runs = 0;
    const long: Run = async () => {
      runs += 1;
      await systemClock.sleep(10_000);
    };
    await add(queue, 'a');
    startOurs(long, 2);
    startOurs(long, 2);
    await finished(queue, 1);
    expect(runs).toBe(1);
  });

  it('sleeps while its queue is empty', async () => {
    await redis.flushall();
    startOurs(() => undefined, 10);
    await vi.waitFor(async () => expect(await redis.client('LIST')).toContain('cmd=bzpopmin'), SOON);
    await redis.config('RESETSTAT');
    await systemClock.sleep(1_500);
    const calls = /cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? '0';
    expect(Number(calls)).toBeLessThanOrEqual(1);
  });
});
