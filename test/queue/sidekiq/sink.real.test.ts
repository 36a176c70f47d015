/** What the bridge does to the ledger of Sidekiq jobs, beside enqueueing them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../../src/job/job.ts';
import { KeptTail } from '../../../src/job/sidekiq-tail.ts';
import { silentLog } from '../../../src/log.ts';
import { Packing, Rooms } from '../../../src/queue/sidekiq/packing.ts';
import { createSidekiqSink } from '../../../src/queue/sidekiq/sink.ts';
import type { Claim, SidekiqSink } from '../../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../../src/redis/connection.ts';
import { ledgerKey } from '../../../src/redis/keys.ts';
import { PackedArguments } from '../../../src/redis/packed.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const BASE = ledgerKey(LEDGER);
const NOW = 1_700_000_000_000;

let server: TestRedis;
let redis: Redis;
let tracked: SidekiqSink;
let untracked: SidekiqSink;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  const options = { name: 'test', redis, dialect: '7', now: () => NOW } as const;
  tracked = createSidekiqSink({ ...options, isTracked: true });
  untracked = createSidekiqSink({ ...options, isTracked: false });
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

function job(delayMs = 0): Job {
  const none = { attempts: 1, backoff: { baseMs: 1, maxMs: 1 }, timestamp: 1, priority: 0, about: {} };
  return { queue: 'default', name: 'A', data: '{"class":"A","args":[]}', delayMs, ...none };
}

async function enqueued(sink: SidekiqSink, count: number): Promise<Claim> {
  const claim = (await sink.claim(LEDGER, 0)) as Claim;
  const jobs = Array.from({ length: count }, (_, offset) => ({ offset, job: job() }));
  expect(await sink.enqueue(claim, -1, { jobs, last: count - 1 })).toMatchObject({ status: 'ok', created: count });
  return claim;
}

it('puts a lost job back where it would have been', async () => {
  const claim = await enqueued(tracked, 2);
  await redis.del('queue:default');
  expect(await tracked.revive(claim, 1, { offset: 0, job: job() })).toBe(true);
  expect(await tracked.revive(claim, 1, { offset: 1, job: job(60_000) })).toBe(true);
  expect(await redis.lrange('queue:default', 0, -1)).toEqual([
    '{"enqueued_at":1700000000.000000,"class":"A","args":[]}',
  ]);
  expect(await redis.zrange('schedule', '0', '-1', 'WITHSCORES')).toEqual([
    '{"class":"A","args":[]}',
    String(NOW / 1_000 + 60),
  ]);
  expect(await tracked.revive(claim, 1, { offset: 2, job: job() })).toBe(false);
});

describe('packed jobs', () => {
  const KEPT = Buffer.from('..."n":1,"s":"é"...');
  const packed = (offsets: readonly number[], rooms = new Rooms()) => {
    const packing = new Packing(NOW, '7', rooms);
    const tail = new KeptTail('k~t~0~0~', true);
    for (const offset of offsets) {
      tail.make(offset, null, {});
      if (offset % 3 === 0) packing.add(offset, job());
      else packing.addKept(offset, KEPT, { queue: offset < 10 ? 'low' : 'high', start: 3, end: 17 }, tail);
    }
    return packing;
  };
  const kept = (offset: number) =>
    `{"enqueued_at":1700000000.000000,"n":1,"s":"é","sl":{"source":"k~t~0~0~${offset}"}}`;

  it('are made once each, whatever a batch before had reached', async () => {
    const claim = (await tracked.claim(LEDGER, 0)) as Claim;
    expect(await tracked.enqueue(claim, -1, { jobs: packed([1, 2, 3, 4]), last: 4 })).toMatchObject({ created: 4 });
    const again = packed([2, 4, 5, 6, 8, 10, 11]);
    expect(await tracked.enqueue(claim, 4, { jobs: again, last: 12 })).toMatchObject({ created: 5, enqueued: 12 });
    expect(await redis.lrange('queue:low', 0, -1)).toEqual([8, 5, 4, 2, 1].map(kept));
    expect(await redis.lrange('queue:high', 0, -1)).toEqual([11, 10].map(kept));
    expect(await redis.llen('queue:default')).toBe(2);
    expect(await tracked.list(claim, 12, 0, 100)).toMatchObject({ unsettled: [1, 2, 3, 4, 5, 6, 8, 10, 11] });
  });

  it('reach a Redis that has forgotten its scripts', async () => {
    const claim = (await tracked.claim(LEDGER, 0)) as Claim;
    await redis.script('FLUSH');
    expect(await tracked.enqueue(claim, -1, { jobs: packed([1, 2]), last: 2 })).toMatchObject({ created: 2 });
    expect(await redis.lrange('queue:low', 0, -1)).toEqual([2, 1].map(kept));
  });

  it('leave their room to the next ones when Redis has answered, and keep it when it has not', async () => {
    const rooms = new Rooms();
    const claim = (await tracked.claim(LEDGER, 0)) as Claim;
    const first = packed([1], rooms);
    await tracked.enqueue(claim, -1, { jobs: first, last: 1 });
    expect(rooms.take()).toBe(roomOf(first));
    const failed = packed([2], rooms);
    await redis.config('SET', 'maxmemory', '1mb');
    await expect(tracked.enqueue(claim, 1, { jobs: failed, last: 2 })).rejects.toThrow('OOM');
    await redis.config('SET', 'maxmemory', '0');
    expect(rooms.take()).not.toBe(roomOf(failed));
  });

  function roomOf(packing: Packing): Buffer {
    return packing.arguments.find((each) => each instanceof PackedArguments)?.room as Buffer;
  }
});

it('reports a lost job that cannot be made again, so that its letter can be written', async () => {
  const claim = await enqueued(tracked, 2);
  expect(await tracked.giveUp(claim, 1, 2, 'nobody waits')).toBe(false);
  expect(await tracked.giveUp(claim, 1, 1, 'it is gone')).toBe(true);
  expect(await tracked.inspect(claim, 1, 0, 10)).toMatchObject({ unsettled: [0, 1], dead: [{ offset: 1 }] });
  const report = await tracked.report(claim, { offset: 1, queue: '' });
  expect(report).toMatchObject({ reason: 'Sluice::Lost: it is gone', attempts: 1, queue: '' });
  expect(await tracked.bury(claim, 1, { offset: 1, queue: '' })).toBe(true);
  expect(await tracked.list(claim, 1, 0, 10)).toMatchObject({ unsettled: [0] });
});

it('forgets what has moved for the owner of the ledger alone', async () => {
  const claim = await enqueued(tracked, 2);
  await redis.sadd(`${BASE}:m`, '1');
  const next = (await tracked.claim(LEDGER, 0)) as Claim;
  expect(await tracked.forgetMoved(claim, 1)).toMatchObject({ status: 'disowned' });
  expect(await tracked.moved(next)).toEqual([1]);
  expect(await tracked.forgetMoved(next, 1)).toBe(true);
  expect(await tracked.moved(next)).toEqual([]);
});

it('waits for nothing any more where a record is finished when it is enqueued', async () => {
  await enqueued(tracked, 1_200);
  const claim = (await untracked.claim(LEDGER, 0)) as Claim;
  expect(await untracked.reconcile(claim, [{ start: 0, end: 1_200 }])).toEqual({ status: 'ok', removed: 0 });
  expect(await untracked.list(claim, claim.enqueued, 0, 2_000)).toMatchObject({ end: 1_200, unsettled: [] });
  // Whoever runs one of the jobs has to find that it is not finished.
  expect(await redis.scard(`${BASE}:u:0:sidekiq`)).toBe(512);
  expect(await redis.llen('queue:default')).toBe(1_200);
});

it('claims and reconciles while Redis is full: hosts wait for it, and make room', async () => {
  await enqueued(tracked, 2);
  await redis.config('SET', 'maxmemory', '1mb');
  try {
    await expect(redis.set('any', 'thing')).rejects.toThrow('OOM');
    const claim = (await tracked.claim(LEDGER, 0)) as Claim;
    expect(await tracked.reconcile(claim, [])).toEqual({ status: 'ok', removed: 0 });
    expect(await tracked.claim(LEDGER, 0)).toMatchObject({ isReconciled: true });
  } finally {
    await redis.config('SET', 'maxmemory', '0');
  }
});
