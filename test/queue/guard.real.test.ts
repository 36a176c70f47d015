/** What Sluice's own host adds to taking and finishing: jobs of a ledger that is not reconciled wait, completed ones settle. */
import { Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import { createBullSource } from '../../src/queue/bullmq/source.ts';
import type { Claim, Listed, Sink } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
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

let server: TestRedis;
let redis: Redis;
let ledger: Redis;
let sink: Sink;
let claim: Claim;
let stop: () => Promise<void>;
let ran: string[];
let refusals: number;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
  ledger = connect('test', server, 'command', silentLog);
  sink = createBullSink({ name: 'test', redis: ledger, prefix: 'bull', adder: ownAdder() });
});

beforeEach(async () => {
  await redis.flushall();
  [ran, refusals] = [[], 0];
  stop = async () => undefined;
  claim = (await sink.claim(LEDGER, 0)) as Claim;
});

afterEach(() => stop());

afterAll(async () => {
  await disconnect(ledger);
  await disconnect(redis);
  await server.stop();
});

const openSource = (isStock: boolean) =>
  createBullSource({ connection: redis, queue: 'mail', keyPrefix: 'bull:mail:', lockMs: 8_000, isStock });

/** Takes and completes what there is until it is stopped. */
function work(isStock: boolean): void {
  const source = openSource(isStock);
  let isStopping = false;
  const once = async (turn: number) => {
    const { jobs, refused } = await source.take(25, `token:${turn}`);
    refusals += refused;
    ran.push(...jobs.map(({ id }) => id));
    const done = jobs.map(({ id }) => ({ id, token: `token:${turn}`, returnValue: 'null', keep: '0' }));
    if (done.length > 0) expect(await source.complete(done)).toEqual(done.map(() => 0));
    else await systemClock.sleep(5);
  };
  const working = (async () => {
    for (let turn = 0; !isStopping; turn += 1) await once(turn);
  })();
  stop = () => {
    isStopping = true;
    return working;
  };
}

async function enqueue(...jobs: Job[]): Promise<void> {
  await sink.enqueue(claim, -1, { jobs: jobs.map((job, offset) => ({ offset, job })), last: jobs.length - 1 });
}

async function unsettled(): Promise<readonly number[]> {
  return ((await sink.list(claim, -1, 0, 1_000)) as Listed).unsettled;
}

describe.each([
  ['ours', false],
  ["BullMQ's own", true],
])("a host's guard in scripts of %s", (_whose, isStock) => {
  it('puts aside what is not reconciled, uncounted, and takes it when it is', async () => {
    await enqueue(JOB, { ...JOB, priority: 7 }, JOB);
    work(isStock);
    await vi.waitFor(() => expect(refusals).toBeGreaterThan(2), 10_000);
    expect(ran).toEqual([]);
    expect((await redis.zrange('bull:mail:delayed', '0', '-1')).sort()).toEqual([
      'k~t~0~0~0',
      'k~t~0~0~1',
      'k~t~0~0~2',
    ]);
    expect((await redis.hget('bull:mail:k~t~0~0~0', 'ats')) ?? '0').toBe('0');
    expect(await redis.exists('bull:mail:active', 'bull:mail:k~t~0~0~0:lock')).toBe(0);
    await sink.reconcile(claim, []);
    await vi.waitFor(() => expect([...ran].sort()).toEqual(['k~t~0~0~0', 'k~t~0~0~1', 'k~t~0~0~2']), 10_000);
  });

  it('lets what stands behind a refused job run: other partitions, and direct jobs', async () => {
    await enqueue(...Array.from({ length: 30 }, () => JOB));
    const other = (await sink.claim({ ...LEDGER, partition: 1 }, 0)) as Claim;
    await sink.reconcile(other, []);
    await sink.enqueue(other, -1, { jobs: [{ offset: 0, job: JOB }], last: 0 });
    const queue = new Queue('mail', { connection: redis });
    await queue.add('a.B', {}, { jobId: 'direct' });
    work(isStock);
    await vi.waitFor(() => expect([...ran].sort()).toEqual(['direct', 'k~t~0~1~0']), 10_000);
    await queue.close();
  });

  it('judges each job of a call by its own ledger', async () => {
    const other = (await sink.claim({ ...LEDGER, partition: 1 }, 0)) as Claim;
    await sink.reconcile(other, []);
    for (const offset of [0, 1]) {
      await sink.enqueue(other, offset - 1, { jobs: [{ offset, job: JOB }], last: offset });
      await sink.enqueue(claim, offset - 1, { jobs: [{ offset, job: JOB }], last: offset });
    }
    const { jobs, refused } = await openSource(isStock).take(25, 'token');
    expect([jobs.map(({ id }) => id), refused]).toEqual([['k~t~0~1~0', 'k~t~0~1~1'], 2]);
  });

  it('heeds each of two consumer groups that know the job, and settles for the one that waits for it', async () => {
    const later = (await sink.claim({ ...LEDGER, group: 'other' }, 0)) as Claim;
    await sink.reconcile(later, []);
    await enqueue(JOB);
    work(isStock);
    await vi.waitFor(() => expect(refusals).toBeGreaterThan(0), 10_000);
    expect(ran).toEqual([]);
    await sink.reconcile(claim, []);
    await vi.waitFor(async () => expect(await unsettled()).toEqual([]), 10_000);
    expect(ran).toEqual(['k~t~0~0~0']);
  });

  it('lets jobs run that came another way', async () => {
    const queue = new Queue('mail', { connection: redis });
    await queue.add('a.B', {}, { jobId: 'direct' });
    work(isStock);
    await vi.waitFor(() => expect(ran).toEqual(['direct']), 10_000);
    expect(refusals).toBe(0);
    await queue.close();
  });

  it('takes the ledger entry of a completed job with it, in the same call, and fetches the next', async () => {
    await sink.reconcile(claim, []);
    await enqueue(...Array.from({ length: 600 }, () => JOB));
    expect((await unsettled()).length).toBe(600);
    work(isStock);
    await vi.waitFor(async () => expect(await unsettled()).toEqual([]), 20_000);
    expect(ran.length).toBe(600);
    // Where something has changed is told once, however far up it is.
    expect(await sink.count(claim, -1, 0, 1)).toMatchObject({ changed: [0, 512] });
    expect(await sink.count(claim, -1, 0, 1)).toMatchObject({ changed: [] });
    expect((await redis.keys('*:u:*')).length + (await redis.exists('bull:mail:completed'))).toBe(0);
  });
});
