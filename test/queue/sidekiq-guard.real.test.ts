/** What the Sidekiq host adds for jobs from Kafka: it waits for reconciling, settles, and tells of deaths and of moves. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineSidekiqWorker } from '../../src/definition/sidekiq-worker.ts';
import type { Outcome, WorkerContext } from '../../src/definition/worker.ts';
import { groupMark, idOfGroup } from '../../src/job/identity.ts';
import type { Job } from '../../src/job/job.ts';
import { jidOf } from '../../src/job/sidekiq-job.ts';
import { silentLog } from '../../src/log.ts';
import { createSidekiqSink } from '../../src/queue/sidekiq/sink.ts';
import type { Claim } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { ledgerKey } from '../../src/redis/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startSidekiqHost } from '../support/sidekiq-host.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const BASE = ledgerKey(LEDGER);
const SOON = { timeout: 15_000, interval: 20 };

let server: TestRedis;
let redis: Redis;
let claim: Claim;
let sink: ReturnType<typeof createSidekiqSink>;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createSidekiqSink({ name: 'test', redis, dialect: '7', isTracked: true, now: Date.now });
});

beforeEach(async () => {
  await redis.flushall();
  claim = (await sink.claim(LEDGER, 0)) as Claim;
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

function jobAt(offset: number, fields: object = {}, group = LEDGER.group): Job {
  const source = idOfGroup(`k~t~0~0~${offset}`, groupMark(group));
  const job = { class: 'Hold', args: [offset], jid: jidOf(source, offset), queue: 'default', retry: 0, ...fields };
  const data = JSON.stringify({ ...job, sl: { source, key: 'a-key', headers: { h: 'x' } } });
  const about = { key: 'a-key' };
  const none = { attempts: 1, backoff: { baseMs: 1, maxMs: 1 }, timestamp: 1, delayMs: 0, priority: 0 };
  return { queue: 'default', name: 'Hold', data, about, ...none };
}

async function enqueue(jobs: readonly Job[]): Promise<void> {
  const records = jobs.map((job, offset) => ({ offset, job }));
  expect(await sink.enqueue(claim, -1, { jobs: records, last: jobs.length - 1 })).toMatchObject({ status: 'ok' });
}

const reconcile = () => sink.reconcile(claim, []);
const unsettled = async () => (await redis.smembers(`${BASE}:u:0:sidekiq`)).map(Number).sort((a, b) => a - b);

function work(
  run: (args: readonly unknown[], ctx: WorkerContext) => Outcome | void | Promise<void>,
  options: Parameters<typeof startSidekiqHost>[2] = {},
) {
  return startSidekiqHost(
    redis,
    [defineSidekiqWorker<readonly unknown[]>(undefined, { sidekiq: 'Hold', run })],
    options,
  );
}

describe('a job from Kafka', () => {
  it('is run once its ledger is reconciled, and settled in the script that finishes it', async () => {
    const ran: unknown[] = [];
    await enqueue([jobAt(0), jobAt(1)]);
    await redis.rpush('queue:default', '{"class":"Hold","args":["direct"]}');
    const warn = vi.fn();
    await work((args, { source, key, headers }) => void ran.push([...args, source, key, headers]), { warn });
    await vi.waitFor(() => expect(ran).toEqual([['direct', undefined, undefined, {}]]), SOON);
    const waits = expect.stringContaining('jobs from kafka wait for their bridge');
    await vi.waitFor(() => expect(warn).toHaveBeenCalledWith({}, waits), SOON);
    expect(await redis.llen('queue:default')).toBe(2);
    expect(await redis.exists(`${BASE}:m`)).toBe(0);
    await reconcile();
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('3'), SOON);
    const source = (offset: bigint) => ({ topic: 't', partition: 0, offset });
    expect(ran.slice(1).sort()).toEqual([
      [0, source(0n), 'a-key', { h: 'x' }],
      [1, source(1n), 'a-key', { h: 'x' }],
    ]);
    expect(await redis.exists(`${BASE}:u:0:sidekiq`, `${BASE}:c`)).toBe(0);
    expect(await redis.smembers(`${BASE}:d`)).toEqual(['0']);
  });

  it('is reported when it is dead or dropped, and stays unsettled', async () => {
    await enqueue([jobAt(0), jobAt(1, { retry: false }), jobAt(2, { dead: false }), jobAt(3)]);
    await reconcile();
    await work(([n]) => {
      if (n === 3) return { kind: 'dead', reason: 'never' };
      throw new TypeError(`no ${n}`);
    });
    await vi.waitFor(async () => expect(await redis.hlen(`${BASE}:x`)).toBe(4), SOON);
    const told = await redis.hgetall(`${BASE}:x`);
    for (const offset of [0, 1, 2]) {
      expect(JSON.parse(told[offset] as string)).toMatchObject({
        error_class: 'TypeError',
        error_message: `no ${offset}`,
      });
    }
    expect(await unsettled()).toEqual([0, 1, 2, 3]);
    const dead = await redis.zrange('dead', '0', '-1');
    expect([...dead].sort()).toEqual([told[0], told[3]].sort());
    // An operator may have it run again: nobody waits for it then.
    expect(JSON.parse(dead[0] as string)).toMatchObject({
      sl: { from: expect.stringMatching(/^k~t~0~0~/), key: 'a-key' },
    });
    expect(await sink.report(claim, { offset: 3, queue: '' })).toMatchObject({
      reason: 'Sluice::Dead: never',
      attempts: 1,
    });
  });

  it('is told to have moved when it is tried again, snoozes or goes back', async () => {
    await enqueue([jobAt(0, { retry: 1 }), jobAt(1), jobAt(2)]);
    await reconcile();
    const host = await work(([n]) => {
      if (n === 0) throw new Error('no');
      return n === 1 ? { kind: 'snooze', afterMs: 60_000 } : new Promise<void>(() => undefined);
    });
    await vi.waitFor(async () => expect((await redis.smembers(`${BASE}:m`)).sort()).toEqual(['0', '1']), SOON);
    await host.stop(20);
    expect((await redis.smembers(`${BASE}:m`)).sort()).toEqual(['0', '1', '2']);
    expect(await unsettled()).toEqual([0, 1, 2]);
    expect(await redis.exists(`${BASE}:x`)).toBe(0);
  });

  it('is another than the one that a second group makes of the same record', async () => {
    const other = { ...LEDGER, group: 'other' };
    const ofOther = (await sink.claim(other, 0)) as Claim;
    await enqueue([jobAt(0), jobAt(1)]);
    const jobs = [0, 1].map((offset) => ({ offset, job: jobAt(offset, { args: ['other', offset] }, 'other') }));
    expect(await sink.enqueue(ofOther, -1, { jobs, last: 1 })).toMatchObject({ status: 'ok' });
    // The other group has no bridge any more: nobody reconciles its ledger.
    await reconcile();
    const ran: unknown[] = [];
    await work(([n]) => void ran.push(n));
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('2'), SOON);
    expect(ran.sort()).toEqual([0, 1]);
    expect(await unsettled()).toEqual([]);
    expect(await redis.scard(`${ledgerKey(other)}:u:0:sidekiq`)).toBe(2);
    await sink.reconcile(ofOther, []);
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('4'), SOON);
    expect(ran.slice(2)).toEqual(['other', 'other']);
    expect(await redis.exists(`${ledgerKey(other)}:u:0:sidekiq`)).toBe(0);
  });

  it('goes without a run when no ledger waits for it', async () => {
    const ran: unknown[] = [];
    await enqueue([jobAt(0), jobAt(1, { failed_at: 1.5 }), jobAt(2)]);
    await reconcile();
    for (const offset of [0, 1]) await redis.srem(`${BASE}:u:0:sidekiq`, offset);
    // A job that carries another's text as its argument is not that other.
    const carried = JSON.parse(jobAt(0).data) as object;
    await redis.lpush('queue:default', JSON.stringify({ class: 'Hold', args: ['carries', carried] }));
    await work(([n]) => void ran.push(n));
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('2'), SOON);
    expect(ran.sort()).toEqual([2, 'carries']);
    expect(await redis.keys('work:*')).toEqual([]);
  });

  it('is run though its topic was set back to be settled when enqueued, and to wait again after that', async () => {
    await enqueue([jobAt(0), jobAt(1), jobAt(2)]);
    await reconcile();
    const untracked = createSidekiqSink({ name: 'test', redis, dialect: '7', isTracked: false, now: Date.now });
    const back = (await untracked.claim(LEDGER, 0)) as Claim;
    if (!back.isReconciled) await untracked.reconcile(back, [{ start: 0, end: 3 }]);
    expect(await untracked.count(back, 2, 0, 10)).toMatchObject({ end: 3, blocks: [] });
    expect(await untracked.list(back, 2, 0, 10)).toMatchObject({ end: 3, unsettled: [] });
    claim = (await sink.claim(LEDGER, 0)) as Claim;
    expect(claim.isReconciled).toBe(true);
    const ran: unknown[] = [];
    await work(([n]) => void ran.push(n));
    await vi.waitFor(async () => expect(await redis.llen('queue:default')).toBe(0), SOON);
    await vi.waitFor(() => expect(ran.sort()).toEqual([0, 1, 2]), SOON);
    await vi.waitFor(async () => expect(await unsettled()).toEqual([]), SOON);
  });

  it('is run whatever lies under the keys of its ledger', async () => {
    await enqueue([jobAt(0)]);
    await reconcile();
    await redis.set(`${BASE}:d`, 'x');
    await redis.set(`${BASE}:m`, 'x');
    await work(() => undefined);
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('1'), SOON);
    expect(await unsettled()).toEqual([]);
  });
});
