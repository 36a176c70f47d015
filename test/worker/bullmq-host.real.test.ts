import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Job, Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { defineWorkerFor } from '../../src/definition/define.ts';
import { workerSet } from '../../src/definition/discover.ts';
import type { WorkerDefinition } from '../../src/definition/worker.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import type { Host } from '../../src/worker/host.ts';
import { createBullHost } from '../../src/worker/hosts/bullmq.ts';
import { describeHost, type HostUnderTest, type View } from '../conformance/host.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';

const QUEUE = 'hosted';
const DOOMED = fileURLToPath(new URL('./fixtures/host-process.ts', import.meta.url));

let server: TestRedis;
let redis: Redis;
let queue: Queue;
let hosts: Host[] = [];
const schemas = loadSchemas([`${ROOT}proto`]);

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'worker', silentLog);
  queue = new Queue(QUEUE, { connection: redis });
});

beforeEach(async () => {
  await redis.flushall();
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

const under: HostUnderTest = {
  async start(options) {
    const definition = defineWorkerFor<View>('acme.web.v1.PageView', { ...options, queue: QUEUE });
    const host = createBullHost({
      queue: QUEUE,
      prefix: 'bull',
      concurrency: 5,
      connection: redis,
      workers: workerSet([{ file: '', definition: definition as WorkerDefinition }]),
      schemas,
      portFor: () => ({ track: async () => undefined }),
      log: silentLog,
      metrics: createMetrics(),
      clock: systemClock,
    });
    hosts.push(host);
    await host.start();
    return host;
  },

  async add(name, data, options = {}) {
    const job = await queue.add(name, data, { removeOnComplete: true, ...options });
    return job.id as string;
  },

  async see(id) {
    const job = await Job.fromId(queue, id);
    if (job === undefined) return undefined;
    return { state: await job.getState(), reason: job.failedReason ?? '', stack: job.stacktrace?.at(-1) ?? '' };
  },

  async startDoomed() {
    const child = spawn(process.execPath, ['--conditions=sluice-source', DOOMED, server.url, `${ROOT}proto`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return { kill: () => void child.kill('SIGKILL') };
  },
};

describe('the BullMQ host', () => {
  describeHost(() => under);

  it('does not record a job as failed whose completion Redis refused', async () => {
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
    const id = await under.add('acme.web.v1.PageView', {});
    await started.promise;
    await redis.config('SET', 'maxmemory', '1');
    go.resolve();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await redis.config('SET', 'maxmemory', '0');
    await vi.waitFor(async () => expect(await under.see(id)).toBeUndefined(), { timeout: 25_000, interval: 100 });
    expect(runs).toBeGreaterThan(0);
    expect(await queue.getFailedCount()).toBe(0);
  });
});
