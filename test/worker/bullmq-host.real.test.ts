import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Job, Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { BatchWorkerOptions } from '../../src/definition/batch.ts';
import { defineWorkerFor } from '../../src/definition/define.ts';
import { workerSet } from '../../src/definition/discover.ts';
import type { WorkerDefinition } from '../../src/definition/worker.ts';
import { type Log, silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { runScript, script } from '../../src/redis/script.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import type { Host } from '../../src/worker/host.ts';
import { createBullHost } from '../../src/worker/hosts/bullmq.ts';
import { KeptLocks } from '../../src/worker/hosts/kept-locks.ts';
import { describeCountedDeaths, describeHost, type HostUnderTest, type View } from '../conformance/host.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';

const QUEUE = 'hosted';
const TYPE = 'acme.web.v1.PageView';
const SOON = { timeout: 15_000, interval: 20 };
const DOOMED = fileURLToPath(new URL('./fixtures/host-process.ts', import.meta.url));

let server: TestRedis;
let redis: Redis;
let queue: Queue;
let hosts: Host[] = [];
let warn: Log['warn'];
let added = 0;
const schemas = loadSchemas([`${ROOT}proto`]);

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'worker', silentLog);
  queue = new Queue(QUEUE, { connection: redis });
  queue.on('error', () => undefined);
  await queue.waitUntilReady();
});

beforeEach(async () => {
  await redis.flushall();
  warn = () => undefined;
});

afterEach(async () => {
  await Promise.all(hosts.map((host) => host.stop(100)));
  hosts = [];
});

afterAll(async () => {
  await queue.close();
  await disconnect(redis);
  await server.stop();
});

type Options = Parameters<HostUnderTest['start']>[0] | Omit<BatchWorkerOptions<View>, 'queue'>;

const under = {
  async start(options: Options, clock = systemClock, connection = redis) {
    const definition = defineWorkerFor<View>(TYPE, { ...options, queue: QUEUE });
    const host = createBullHost({
      queue: QUEUE,
      prefix: 'bull',
      concurrency: 5,
      connection,
      workers: workerSet([{ file: '', definition: definition as WorkerDefinition }]),
      schemas,
      portFor: () => ({ track: async () => undefined }),
      log: { ...silentLog, warn: (fields, text) => warn(fields, text) },
      metrics: createMetrics(),
      clock,
    });
    hosts.push(host);
    await host.start();
    return host;
  },

  /** With an id as of a job from Kafka, which alone may be taken without a lock. */
  async add(name, data, options = {}) {
    added += 1;
    const job = await queue.add(name, data, { jobId: `k~t~0~0~${added}`, removeOnComplete: true, ...options });
    return job.id as string;
  },

  async see(id) {
    // The state first: what is final stays as it is.
    const state = await queue.getJobState(id);
    const job = await Job.fromId(queue, id);
    if (job === undefined) return undefined;
    return { state, reason: job.failedReason ?? '', stack: job.stacktrace?.at(-1) ?? '' };
  },

  async loseLock(id) {
    await redis.set(`bull:${QUEUE}:${id}:lock`, 'of another host');
  },

  async addDeaths(id, deaths) {
    await redis.hset(`bull:${QUEUE}:${id}`, 'stc', deaths);
    // Had it been its last run, that would have been written down.
    await redis.set(`sluice:last-run:bull:${QUEUE}:${id}`, `0:${deaths - 1}`);
  },

  async startDoomed() {
    const child = spawn(process.execPath, ['--conditions=sluice-source', DOOMED, server.url, `${ROOT}proto`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return { kill: () => void child.kill('SIGKILL') };
  },
} satisfies HostUnderTest;

const ADD = script(
  `${ownAdder()}\nlocal queue = { prefix = KEYS[1] }\nnew_queue(queue)\nadd_job(queue, unpack(ARGV))\nflush_queue(queue)`,
);

describe('the BullMQ host on a lean queue', () => {
  beforeEach(() => {
    vi.spyOn(KeptLocks.prototype, 'areLater', 'get').mockReturnValue(true);
  });

  const lean: HostUnderTest = {
    ...under,
    async add(name, data, options = {}) {
      added += 1;
      const id = `k~t~0~0~${added}`;
      const opts = JSON.stringify({ ...options, removeOnFail: false, sl: {} });
      await runScript(redis, ADD, [`bull:${QUEUE}:`], [id, name, JSON.stringify(data), opts, Date.now(), '', '']);
      return id;
    },
  };
  describeHost(() => lean);
  describeCountedDeaths(() => lean);
});

describe.each([
  ['with a lock', false],
  ['without one', true],
])('the BullMQ host, jobs taken %s', (_name, areLater) => {
  beforeEach(() => {
    vi.spyOn(KeptLocks.prototype, 'areLater', 'get').mockReturnValue(areLater);
  });

  describeHost(() => under);
  describeCountedDeaths(() => under);

  /** Runs one job, and lets it succeed after `meanwhile`. */
  async function succeedAfter(meanwhile: (id: string) => Promise<unknown>): Promise<{ id: string; runs(): number }> {
    const started = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    let runs = 0;
    await under.start({
      attempts: 1,
      run: async () => {
        runs += 1;
        started.resolve();
        await go.promise;
      },
    });
    const id = await under.add(TYPE, {});
    await started.promise;
    await meanwhile(id);
    go.resolve();
    return { id, runs: () => runs };
  }

  const gone = (id: string) => vi.waitFor(async () => expect(await under.see(id)).toBeUndefined(), SOON);

  /** Jobs held by `go`, with how many ran at once at most. */
  function held(go: Promise<void>) {
    const seen = { started: 0, busy: 0, most: 0 };
    const run = async () => {
      seen.started += 1;
      seen.busy += 1;
      seen.most = Math.max(seen.most, seen.busy);
      await go;
      await systemClock.sleep(20);
      seen.busy -= 1;
    };
    return { seen, run };
  }

  it('runs as many jobs in a batch as its concurrency allows, without waiting, each to its own outcome', async () => {
    await queue.pause();
    const ids = await Promise.all(Array.from({ length: 12 }, (_, i) => under.add(TYPE, { url: `${i}` })));
    const sizes: number[] = [];
    const since = Date.now();
    await under.start({
      batch: { most: 100, waitMs: 1_000 },
      runBatch: (views) => {
        sizes.push(views.length);
        return views.map(({ url }) => (url === '3' ? { kind: 'dead', reason: 'never' } : undefined));
      },
    });
    await queue.resume();
    await vi.waitFor(async () => expect(await queue.getJobCounts()).toMatchObject({ active: 0, waiting: 0 }), SOON);
    expect(sizes).toEqual([5, 5, 2]);
    expect(Date.now() - since).toBeLessThan(2_500);
    expect(await under.see(ids[3] as string)).toMatchObject({ state: 'failed', reason: 'never' });
    await Promise.all(ids.filter((id) => id !== ids[3]).map(gone));
  });

  it(`begins jobs ${areLater ? 'without' : 'with'} a lock, and has them locked when they last`, async () => {
    const end = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<number>();
    const lock = () => redis.exists(`bull:${QUEUE}:${id}:lock`);
    let id = '';
    await queue.pause();
    await under.start({
      run: async () => {
        locked.resolve(lock());
        await end.promise;
      },
    });
    id = await under.add(TYPE, {});
    await queue.resume();
    expect(await locked.promise).toBe(areLater ? 0 : 1);
    await vi.waitFor(async () => expect(await lock()).toBe(1), SOON);
    end.resolve();
    await gone(id);
    expect(await lock()).toBe(0);
  });

  it('writes nothing of a run whose job was made again and runs anew', async () => {
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let runs = 0;
    const told = vi.fn();
    warn = (_fields, text) => told(text);
    await under.start({
      run: async () => {
        runs += 1;
        await ends[runs - 1]?.promise;
      },
    });
    const id = await under.add(TYPE, {}, { jobId: 'k~t~0~1~0', attempts: 1 });
    await vi.waitFor(() => expect(runs).toBe(1), SOON);
    await redis.flushall();
    await under.add(TYPE, {}, { jobId: id, attempts: 1 });
    await vi.waitFor(() => expect(runs).toBe(2), SOON);
    await vi.waitFor(() => expect(told).toHaveBeenCalledWith('the outcome of a job is not written'), SOON);
    expect((await under.see(id))?.state).toBe('active');
    ends[1]?.resolve();
    await gone(id);
    expect([runs, await queue.getFailedCount()]).toEqual([2, 0]);
    ends[0]?.resolve();
  });

  it('ends the run of a job that was made again and came to the same host, and keeps up the lock of the second', async () => {
    const signals: AbortSignal[] = [];
    const ends = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    await under.start({
      run: async (_view, { signal }) => {
        signals.push(signal);
        await ends[signals.length - 1]?.promise;
      },
    });
    const id = await under.add(TYPE, {}, { jobId: 'k~t~0~1~0' });
    await vi.waitFor(() => expect(signals).toHaveLength(1), SOON);
    await redis.flushall();
    await under.add(TYPE, {}, { jobId: id });
    await vi.waitFor(() => expect(signals).toHaveLength(2), SOON);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(signals[0]?.reason).toMatchObject({ message: expect.stringContaining('the lock was lost') });
    ends[0]?.resolve();
    const lockLeftMs = () => redis.pttl(`bull:${QUEUE}:${id}:lock`);
    await vi.waitFor(async () => expect(await lockLeftMs()).toBeLessThan(7_000), SOON);
    await vi.waitFor(async () => expect(await lockLeftMs()).toBeGreaterThan(7_000), SOON);
    ends[1]?.resolve();
    await gone(id);
  });

  it('takes no more than its concurrency, and keeps it used', async () => {
    const go = Promise.withResolvers<void>();
    const { seen, run } = held(go.promise);
    await under.start({ run });
    await Promise.all(Array.from({ length: 23 }, () => under.add(TYPE, {})));
    await vi.waitFor(() => expect(seen.busy).toBe(5), SOON);
    expect(await redis.llen(`bull:${QUEUE}:active`)).toBe(5);
    go.resolve();
    await vi.waitFor(() => expect(seen).toMatchObject({ started: 23, busy: 0 }), SOON);
    expect(seen.most).toBe(5);
  });

  it('has jobs that took hosts down have their last run one after the other', async () => {
    for (const [deaths, most] of [
      [2, 1],
      [1, 4],
    ] as const) {
      await queue.pause();
      const ids = await Promise.all([1, 2, 3, 4].map(() => under.add(TYPE, {})));
      await Promise.all(ids.map((id) => under.addDeaths(id, deaths)));
      const { seen, run } = held(systemClock.sleep(200));
      const host = await under.start({ attempts: 3, run });
      await queue.resume();
      await vi.waitFor(() => expect(seen).toMatchObject({ started: 4, busy: 0 }), SOON);
      expect(seen.most).toBe(most);
      await Promise.all(ids.map(gone));
      await host.stop(1_000);
    }
  });

  it.each([
    ['before', [1, 2]],
    ['after', [2, 1]],
  ])('has no last run beside another job that a host died with, that comes %s it', async (_when, deaths) => {
    await queue.pause();
    const ids = await Promise.all(deaths.map(() => under.add(TYPE, {})));
    await Promise.all(ids.map((id, i) => under.addDeaths(id, deaths[i] as number)));
    const end = Promise.withResolvers<void>();
    const { seen, run } = held(end.promise);
    await under.start({ attempts: 3, run });
    await queue.resume();
    await vi.waitFor(async () => expect(await queue.getDelayedCount()).toBe(1), SOON);
    expect(seen.started).toBe(1);
    end.resolve();
    await Promise.all(ids.map(gone));
    expect(seen).toMatchObject({ started: 2, most: 1 });
  });

  it.skipIf(areLater)('lets a job die whose host dies during its last run', async () => {
    const id = await under.add(TYPE, {}, { attempts: 3 });
    await redis.hset(`bull:${QUEUE}:${id}`, 'stc', 2);
    const doomed = await under.startDoomed();
    doomed.kill();
    const { seen, run } = held(Promise.resolve());
    await under.start({ run });
    await vi.waitFor(async () => expect((await under.see(id))?.reason).toMatch(/^3 times its host died/), 25_000);
    expect(seen.started).toBe(0);
  });

  it('runs a job whose hosts died before they began it', async () => {
    const id = await under.add(TYPE, {}, { attempts: 3, delay: 300 });
    await redis.hset(`bull:${QUEUE}:${id}`, 'stc', 3);
    const { seen, run } = held(Promise.resolve());
    await under.start({ run });
    await gone(id);
    expect(seen.started).toBe(1);
  });

  it.each([
    ['failed', 1, 2],
    ['took its hosts down', 3, 0],
  ])('runs a job again that %s and is retried from a board', async (_name, deaths, runsBefore) => {
    let runs = 0;
    let isMended = false;
    const run = () => {
      runs += 1;
      if (!isMended) throw new Error('down');
    };
    await queue.pause();
    const id = await under.add(TYPE, {}, { attempts: 3 });
    await under.addDeaths(id, deaths);
    await under.start({ backoff: { baseMs: 1, maxMs: 1 }, run });
    await queue.resume();
    await vi.waitFor(async () => expect((await under.see(id))?.state).toBe('failed'), SOON);
    expect(runs).toBe(runsBefore);
    isMended = true;
    await (await Job.fromId(queue, id))?.retry('failed');
    await gone(id);
    expect(runs).toBe(runsBefore + 1);
    expect(await redis.keys('sluice:last-run:*')).toEqual([]);
  });

  it('starts the next last run once the one before it has outlived half a minute', async () => {
    await queue.pause();
    const ids = await Promise.all([1, 2].map(() => under.add(TYPE, {})));
    await Promise.all(ids.map((id) => under.addDeaths(id, 2)));
    const end = Promise.withResolvers<void>();
    const { seen, run } = held(end.promise);
    const outlived = Promise.withResolvers<void>();
    const sleep = (ms: number, signal?: AbortSignal) =>
      ms === 30_000 ? outlived.promise : systemClock.sleep(ms, signal);
    await under.start({ attempts: 3, run }, { ...systemClock, sleep });
    await queue.resume();
    await vi.waitFor(async () => expect(await queue.getDelayedCount()).toBe(1), SOON);
    expect(seen.started).toBe(1);
    outlived.resolve();
    await vi.waitFor(() => expect(seen.busy).toBe(2), SOON);
    end.resolve();
    await Promise.all(ids.map(gone));
  });

  it.skipIf(areLater)(
    'opens a worker anew that takes nothing, and keeps the lock of what it took at the last moment',
    async () => {
      const own = connect('main', server, 'worker', silentLog);
      const anew = Promise.withResolvers<void>();
      warn = (_fields, text) => {
        if (text.includes('opening it anew')) anew.resolve();
      };
      const looks = [0, 1].map(() => Promise.withResolvers<void>());
      const go = looks.map(({ promise }) => promise);
      const sleep = (ms: number, signal?: AbortSignal) =>
        ms === 10_000 ? (go.shift() ?? systemClock.sleep(ms, signal)) : systemClock.sleep(ms, signal);
      const { seen, run } = held(systemClock.sleep(7_000));
      const ids: string[] = [];
      const hmget = own.hmget.bind(own);
      let asked = 0;
      vi.spyOn(own, 'hmget').mockImplementation((async (...args: Parameters<typeof hmget>) => {
        const reply = await hmget(...args);
        asked += 1;
        if (asked === 2) {
          own.stream.pause();
          await redis.del(`bull:${QUEUE}:wait`);
          ids.push(await under.add(TYPE, {}));
          await vi.waitFor(async () => expect(await redis.llen(`bull:${QUEUE}:active`)).toBeGreaterThan(0), SOON);
        }
        return reply;
      }) as typeof own.hmget);
      await under.start({ run }, { ...systemClock, sleep }, own);
      await vi.waitFor(async () => expect(await redis.client('LIST')).toContain('cmd=bzpopmin'), SOON);
      // Without a marker nobody is told of it: the worker sleeps on, as one that is stuck does.
      await redis.rpush(`bull:${QUEUE}:wait`, 'unknown');
      for (const look of looks) look.resolve();
      await anew.promise;
      own.stream.resume();
      await vi.waitFor(() => expect(seen.started).toBe(1), SOON);
      const lock = () => redis.pttl(`bull:${QUEUE}:${ids[0]}:lock`);
      let last = await lock();
      const isRenewed = async () => {
        const before = last;
        last = await lock();
        return last > before;
      };
      await vi.waitFor(async () => expect(await isRenewed()).toBe(true), SOON);
      await hosts[0]?.stop(10_000);
      expect(seen).toMatchObject({ started: 1, busy: 0 });
      expect(await under.see(ids[0] as string)).toBeUndefined();
      await disconnect(own);
    },
  );

  it('opens one worker for one that is found stuck again while it is closed', async () => {
    const told = vi.fn();
    warn = (_fields, text) => void (text.includes('opening it anew') && told());
    const go = Promise.withResolvers<void>();
    let opened = 0;
    const sleep = async (ms: number, signal?: AbortSignal) => {
      await go.promise;
      if (ms === 500) {
        await vi.waitFor(() => expect(told.mock.calls.length).toBeGreaterThan(1), SOON);
        opened += 1;
      }
      // Looks come close upon each other while the first is closed: the next has the time that it has in earnest.
      await systemClock.sleep(ms === 10_000 && told.mock.calls.length < 2 ? 20 : ms, signal);
    };
    const host = await under.start({ run: () => undefined }, { ...systemClock, sleep });
    await vi.waitFor(async () => expect(await redis.client('LIST')).toContain('cmd=bzpopmin'), SOON);
    await redis.rpush(`bull:${QUEUE}:wait`, 'unknown');
    go.resolve();
    await vi.waitFor(async () => expect(await redis.llen(`bull:${QUEUE}:wait`)).toBe(0), SOON);
    await host.stop(100);
    expect(told).toHaveBeenCalledTimes(2);
    expect(opened).toBe(1);
  });

  it.each([
    ['right', 0],
    ['an hour ahead', 3_600_000],
    ['an hour behind', -3_600_000],
  ])('leaves a job to others whose lock had run out before it was run, by a clock that is %s', async (_, aheadMs) => {
    const real = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + aheadMs);
    const { seen, run } = held(Promise.resolve());
    await queue.pause();
    const id = await under.add(TYPE, {});
    // On the host's own connection, so that it comes before the host asks; and long after the job was taken.
    const now = () => {
      void redis.set(`bull:${QUEUE}:${id}:lock`, 'of another host');
      return Date.now() + (areLater ? 3_000 : 10_000);
    };
    const told = vi.fn();
    warn = told;
    await under.start({ attempts: 3, run }, { ...systemClock, now });
    await queue.resume();
    await vi.waitFor(() => expect(told).toHaveBeenCalled(), SOON);
    expect(told.mock.calls[0]?.[0]).toMatchObject({
      reason: expect.stringMatching(/its lock had run out|another host has its lock/),
    });
    expect(seen.started).toBe(0);
    expect((await under.see(id))?.state).toBe('active');
    vi.restoreAllMocks();
  });

  it('records a success once Redis takes writes again, and runs the job no second time', async () => {
    const refused = vi.fn();
    warn = refused;
    const { id, runs } = await succeedAfter(() => redis.replicaof('127.0.0.1', 1));
    await vi.waitFor(() => expect(hosts[0]?.busy).toBe(0), SOON);
    // On the same connection, after the completion: it has been refused by now, and so has a failure.
    for (let i = 0; i < 3; i += 1) await redis.ping();
    expect(refused).toHaveBeenCalledOnce();
    expect(refused.mock.calls[0]).toEqual([
      { queue: QUEUE, reason: expect.stringMatching(/^READONLY/) },
      'the queue cannot be read or written for now',
    ]);
    await redis.replicaof('NO', 'ONE');
    await gone(id);
    expect(runs()).toBe(1);
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('completes at a full memory', async () => {
    const { id, runs } = await succeedAfter(() => redis.config('SET', 'maxmemory', '1'));
    await gone(id);
    expect(runs()).toBe(1);
    await redis.config('SET', 'maxmemory', '0');
  });

  it('completes a job whose lock ran out while nobody else took it', async () => {
    const { id, runs } = await succeedAfter((job) => redis.del(`bull:${QUEUE}:${job}:lock`));
    await gone(id);
    expect(runs()).toBe(1);
    expect(await queue.getFailedCount()).toBe(0);
  });

  it('leaves a job alone that another host has taken, and tells of the job and not of the queue', async () => {
    const told = vi.fn();
    warn = told;
    const { id } = await succeedAfter((job) => under.loseLock(job));
    await vi.waitFor(() => expect(hosts[0]?.busy).toBe(0), SOON);
    expect((await under.see(id))?.state).toBe('active');
    const reason = 'the job was given to another run of it, which has its lock';
    const line = [{ queue: QUEUE, jobId: id, reason, passedOver: 0 }, 'the outcome of a job is not written'];
    await vi.waitFor(() => expect(told.mock.calls).toEqual([line]), SOON);
  });

  it('tells of a job that failed when it was gone, and of one of many that had the same fate', async () => {
    const told = vi.fn();
    warn = (fields, text) => void (text !== 'an attempt failed' && told(fields, text));
    const all = Promise.withResolvers<void>();
    const end = Promise.withResolvers<never>();
    let started = 0;
    await under.start({
      run() {
        started += 1;
        if (started === 3) all.resolve();
        return end.promise;
      },
    });
    const ids = await Promise.all([1, 2, 3].map(() => under.add(TYPE, {})));
    await all.promise;
    await redis.del(
      `bull:${QUEUE}:active`,
      ...ids.flatMap((id) => [`bull:${QUEUE}:${id}`, `bull:${QUEUE}:${id}:lock`]),
    );
    end.reject(new Error('failed'));
    await vi.waitFor(() => expect(hosts[0]?.busy).toBe(0), SOON);
    await vi.waitFor(() => expect(told).toHaveBeenCalled(), SOON);
    const lines = told.mock.calls.map(([fields, text]) => [text, ids.includes(fields.jobId)]);
    expect(new Set(lines.map(String))).toEqual(new Set(['the outcome of a job is not written,true']));
    expect(lines.length).toBeLessThan(3);
  });

  it('tells of a lock that was lost during a run by the job, and not by the queue', async () => {
    const told = vi.fn();
    warn = (fields, text) => told(text, Reflect.get(fields, 'jobId'));
    const started = Promise.withResolvers<void>();
    const end = Promise.withResolvers<void>();
    await under.start({
      run() {
        started.resolve();
        return end.promise;
      },
    });
    const id = await under.add(TYPE, {});
    await started.promise;
    await under.loseLock(id);
    await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(2), SOON);
    expect(told.mock.calls).toEqual([
      ['an attempt failed', id],
      ['the outcome of a job is not written', id],
    ]);
    end.resolve();
  });

  it('lets a job die whose data is not JSON', async () => {
    const id = await under.add(TYPE, {});
    await redis.hset(`bull:${QUEUE}:${id}`, 'data', '{"url":');
    await under.start({ run: () => undefined });
    await vi.waitFor(async () => {
      const reason = await redis.hget(`bull:${QUEUE}:${id}`, 'failedReason');
      expect(reason).toMatch(/^the job's data is not JSON: /);
    }, SOON);
    expect(await queue.getFailedCount()).toBe(1);
    expect(await redis.hget(`bull:${QUEUE}:${id}`, 'stc')).toBe(null);
  });

  it("honours a backoff that is a job's own", async () => {
    await under.start({
      backoff: { baseMs: 1, maxMs: 1 },
      run: () => {
        throw new Error('no');
      },
    });
    const id = await under.add(TYPE, {}, { attempts: 2, backoff: { type: 'fixed', delay: 3_600_000 } });
    await vi.waitFor(async () => expect((await under.see(id))?.state).toBe('delayed'), SOON);
    expect((await Job.fromId(queue, id))?.delay).toBe(3_600_000);
  });

  it('starts while Redis is away, and goes on by itself', async () => {
    await server.kill();
    const urls: string[] = [];
    await under.start({ run: ({ url }) => void urls.push(url) });
    await server.restart();
    await under.add(TYPE, { url: 'https://x/1' });
    await vi.waitFor(() => expect(urls).toEqual(['https://x/1']), SOON);
    await server.kill();
    await server.restart();
    await under.add(TYPE, { url: 'https://x/2' });
    await vi.waitFor(() => expect(urls).toContain('https://x/2'), SOON);
  });

  it('finishes every job while its connections are cut over and over', async () => {
    let runs = 0;
    await under.start({
      run: () => {
        runs += 1;
      },
    });
    const opts = (i: number) => ({ jobId: `k~t~0~1~${i}`, removeOnComplete: true });
    const jobs = Array.from({ length: 3_000 }, (_, i) => ({ name: TYPE, data: {}, opts: opts(i) }));
    await queue.addBulk(jobs);
    const operator = connect('main', server, 'command', silentLog);
    for (let cuts = 0; cuts < 20; cuts += 1) {
      const before = runs;
      await vi.waitFor(() => expect(runs).toBeGreaterThan(before), { ...SOON, interval: 1 });
      await operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    }
    await vi.waitFor(async () => {
      expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, failed: 0 });
    }, SOON);
    expect(runs).toBeGreaterThanOrEqual(3_000);
    await disconnect(operator);
  });

  it('outlives a Redis that hangs at the start and is then killed', async () => {
    server.pause();
    let runs = 0;
    await under.start({
      run: () => {
        runs += 1;
      },
    });
    await server.kill();
    await server.restart();
    await under.add(TYPE, {});
    await vi.waitFor(() => expect(runs).toBe(1), SOON);
  });

  it('stops while Redis is away with a job under way', async () => {
    const { id } = await succeedAfter(() => server.kill());
    await Promise.all(hosts.map((host) => host.stop(500)));
    await server.restart();
    expect(await under.see(id)).toBeUndefined();
  });
});
