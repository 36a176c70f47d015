import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Stages } from '../../src/bridge/cut.ts';
import type { Rejection } from '../../src/bridge/decode.ts';
import { feed, takeBack } from '../../src/bridge/feed.ts';
import { HeldPartition } from '../../src/bridge/held-partition.ts';
import { Shard } from '../../src/bridge/shard.ts';
import { systemClock } from '../../src/clock.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Event, Job } from '../../src/job/job.ts';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Claim, Jobs, Sink, Sinks } from '../../src/queue/sink.ts';

const metrics = createMetrics();
const CUT = 500;

function claimOf(token: string): Claim {
  const ledger = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
  return { ledger, generation: 0, token, incarnation: 'i', enqueued: -1, isReconciled: true };
}

/** A shard that takes every batch, if `reply` does not say otherwise, and the batches that it was sent. */
async function openShard(reply: (last: number) => Promise<object> = async () => ({})) {
  const batches: { token: string; expected: number; last: number; jobs: Jobs }[] = [];
  const sink: Partial<Sink> = {
    isTracked: true,
    async enqueue({ token }, expected, { last, jobs }) {
      batches.push({ token, expected, last, jobs });
      const usual = { status: 'ok', enqueued: last, usedBytes: 0, created: 0, existed: 0, depth: 0 } as const;
      return { ...usual, ...(await reply(last)) };
    },
  };
  const sinks: Partial<Sinks> = {
    name: 'main',
    memory: async () => ({ usedBytes: 0, maxBytes: 2 ** 30, systemBytes: 2 ** 32, evictionPolicy: '', version: '7.2' }),
    close: async () => {},
  };
  const gate = { closeAt: '75%', openAt: '65%' };
  const base = { log: silentLog, metrics, clock: systemClock };
  const shard = new Shard({
    ...base,
    sinks: sinks as Sinks,
    gate,
    queues: () => ({ bullmq: [], sidekiq: [] }),
    onChange: () => {},
  });
  await shard.start();
  return { outlet: { shard, sink: sink as Sink }, batches };
}

function recordAt(offset: number): KafkaRecord {
  return { offset, key: null, value: Buffer.from('x'), headers: {}, timestamp: 0 };
}

const REJECTION: Rejection = { reason: 'invalid', error: 'no job' };
const STAGES: Stages = {
  ...{ metrics, clock: systemClock },
  delays: { isForOthers: () => false, dueOf: () => undefined, take: async () => {} } as unknown as Stages['delays'],
  decode: () => REJECTION,
  route: () => REJECTION,
  letters: { reject: async () => {}, bury: async () => {} },
};

function batchOf(from: number, count: number) {
  const records = Array.from({ length: count }, (_, i) => recordAt(from + i));
  return { topic: 't', partition: 0, epoch: 1, highWatermark: from + count, start: from, end: from + count, records };
}

it('counts letters once that are written twice, of a batch that was read again while they were on their way', async () => {
  const { outlet } = await openShard();
  const held = new HeldPartition({ topic: 'read-twice', partition: 0 }, 1);
  held.adopt([{ ...outlet, claim: claimOf('one') }], 0, { generation: 0, reached: -1, finished: [] });
  held.begin();
  const written = Promise.withResolvers<void>();
  const reject = vi.fn(() => written.promise);
  const stages = { ...STAGES, letters: { reject, bury: async () => {} } };
  const control = { isCurrent: () => true, heartbeat: async () => {}, resolve: () => {} };
  const both = [1, 2].map(() => feed(held, batchOf(0, 10), control, stages));
  await vi.waitFor(() => expect(reject).toHaveBeenCalledTimes(2));
  written.resolve();
  await Promise.all(both);
  await outlet.shard.stop();
  const { values } = await metrics.recordsSettled.get();
  expect(values.filter(({ labels }) => labels.topic === 'read-twice').map(({ value }) => value)).toEqual([10]);
});

it.each([
  [500, [500]],
  [501, [251, 250]],
  [1_002, [334, 334, 334]],
])('cuts %i records into batches that are about as large', async (count, sizes) => {
  const { outlet, batches } = await openShard();
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  held.adopt([{ ...outlet, claim: claimOf('one') }], 0, { generation: 0, reached: -1, finished: [] });
  held.begin();
  await feed(held, batchOf(0, count), { isCurrent: () => true, heartbeat: async () => {}, resolve: () => {} }, STAGES);
  await outlet.shard.stop();
  const ends = batches.map(({ last }) => last + 1);
  expect(ends.map((end, i) => end - (ends[i - 1] ?? 0))).toEqual(sizes);
});

it('sends the jobs that are packed, and knows them for unfinished', async () => {
  const { outlet, batches } = await openShard();
  const held = new HeldPartition({ topic: 'packed', partition: 0 }, 1);
  held.adopt([{ ...outlet, claim: claimOf('one') }], 0, {
    generation: 0,
    reached: -1,
    finished: [{ start: 3, end: 4 }],
  });
  held.begin();
  const job = { queue: 'long' } as Job;
  const packer = packerOf((offset) => offset % 2 === 0);
  const route = ({ type }: Event) => (type === '5' ? REJECTION : { shard: 'main', job });
  const decode = ({ offset }: KafkaRecord) => ({ event: { type: String(offset) } as Event, drift: 0 });
  const control = { isCurrent: () => true, heartbeat: async () => {}, resolve: () => {} };
  await feed(held, batchOf(0, 8), control, { ...STAGES, decode, route, packer });
  await held.sends.fewerThan(1);
  await outlet.shard.stop();
  expect(batches).toMatchObject([{ last: 7, jobs: { offsets: [0, 1, 2, 4, 6, 7] } }]);
  expect(held.shards[0]?.finished.ranges).toEqual([
    { start: 3, end: 4 },
    { start: 5, end: 6 },
  ]);
  const { values } = await metrics.jobsEnqueued.get();
  const counted = values
    .filter(({ labels }) => labels.topic === 'packed')
    .map(({ labels, value }) => [labels.queue, value]);
  expect(counted).toEqual([
    ['quick', 4],
    ['long', 2],
  ]);
});

/** Takes the quick way with the offsets that it is told. */
function packerOf(isQuick: (offset: number) => boolean): Stages['packer'] {
  return {
    begin() {
      const offsets: number[] = [];
      const byQueue = new Map([
        ['quick', 0],
        ['long', 0],
      ]);
      const enter = (offset: number, queue: string) => {
        offsets.push(offset);
        byQueue.set(queue, (byQueue.get(queue) as number) + 1);
      };
      return {
        takes({ offset }) {
          if (isQuick(offset)) enter(offset, 'quick');
          return isQuick(offset);
        },
        add: (offset, { queue }) => enter(offset, queue),
        end: () => ({ offsets, count: offsets.length, textBytes: 1, byQueue }),
      };
    },
  };
}

it('sends nothing of a batch under a claim that was made anew while a letter was written (rule 8)', async () => {
  const { outlet, batches } = await openShard();
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  const claimed = (token: string) => {
    held.adopt([{ ...outlet, claim: claimOf(token) }], 0, { generation: 0, reached: -1, finished: [] });
    held.begin();
  };
  claimed('first');
  const resolved: number[] = [];
  const delayed: string[] = [];
  const take = async () => void delayed.push(held.shards[0]?.claim.token ?? '');

  const end = await feed(
    held,
    batchOf(0, 2 * CUT),
    { isCurrent: () => true, heartbeat: async () => {}, resolve: (offset) => void resolved.push(offset) },
    {
      ...STAGES,
      delays: { ...STAGES.delays, take } as unknown as Stages['delays'],
      letters: {
        async reject(_of, [first]) {
          if (first?.record.offset !== CUT) return;
          claimed('second');
        },
        bury: async () => {},
      },
    },
  );
  await outlet.shard.stop();

  expect(end.kind).toBe('revoked');
  expect(delayed).toEqual(['first']);
  expect(batches).toMatchObject([{ token: 'first', expected: -1, last: CUT - 1 }]);
  expect(resolved).toEqual([]);
  expect(held.position).toBe(0);
});

describe('of a shard that is busy with other partitions', () => {
  let open: Awaited<ReturnType<typeof openShard>>;
  let partition: HeldPartition;
  const resolved: number[] = [];
  const control = {
    isCurrent: () => true,
    heartbeat: async () => {},
    resolve: (offset: number) => void resolved.push(offset),
  };
  const release = () => [1, 2].forEach(() => void open.outlet.shard.slots.give());

  beforeEach(async () => {
    resolved.length = 0;
    open = await openShard();
    for (let i = 0; i < 2; i++) await open.outlet.shard.slots.take();
    partition = new HeldPartition({ topic: 't', partition: 0 }, 1);
    partition.adopt([{ ...open.outlet, claim: claimOf('only') }], 0, { generation: 0, reached: -1, finished: [] });
    partition.begin();
  });
  afterEach(() => open.outlet.shard.stop());

  it('nothing is asked for twice', async () => {
    expect(await feed(partition, batchOf(0, 100), control, STAGES)).toEqual({ kind: 'taken' });
    expect([partition.position, resolved, open.batches]).toEqual([100, [99], []]);
    release();
    await feed(partition, batchOf(100, 10), control, STAGES);
    await partition.sends.fewerThan(1);
    expect(open.batches.map(({ expected, last }) => [expected, last])).toEqual([
      [-1, 99],
      [99, 109],
    ]);
  });

  it('a cut that was refused while the next one wrote its letters leaves no hole, though Redis is back by then', async () => {
    const { shard } = open.outlet;
    const slow: Stages['letters'] = {
      bury: async () => {},
      async reject(_of, [first]) {
        if (first?.record.offset !== CUT) return;
        shard.failed(new SluiceError('UNREACHABLE', 'gone'));
        release();
        await vi.waitFor(() => expect(shard.isOpen).toBe(true), 4_000);
      },
    };
    expect(await feed(partition, batchOf(0, 2 * CUT), control, { ...STAGES, letters: slow })).toEqual({
      kind: 'closed',
    });
    expect([open.batches, partition.position, partition.settled]).toEqual([[], 0, 0]);
  });

  it('a cut that writes its letters when a heartbeat fails is not sent after that', async () => {
    const letters = Promise.withResolvers<void>();
    const stages: Stages = {
      ...STAGES,
      clock: { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(5, signal) },
      letters: {
        bury: async () => {},
        reject: async (_of, [first]) => (first?.record.offset === CUT ? letters.promise : undefined),
      },
    };
    const heartbeat = async () => {
      if (!partition.sends.areUnderWay) return;
      open.outlet.shard.failed(new SluiceError('UNREACHABLE', 'gone'));
      release();
      throw new Error('no heartbeat');
    };
    const broken = feed(partition, batchOf(0, 2 * CUT), { ...control, heartbeat }, stages);
    await expect(broken).rejects.toThrow('no heartbeat');
    await vi.waitFor(() => expect(open.outlet.shard.isOpen).toBe(true), 4_000);
    letters.resolve();
    await systemClock.sleep(20);
    expect([open.batches, partition.position, partition.settled]).toEqual([[], 0, 0]);
    expect(partition.sends.failure).toBeUndefined();
  });

  it('a cut that would leave a hole behind it is not sent, whatever brought it there', async () => {
    release();
    partition.position = 100;
    expect(await feed(partition, batchOf(100, 10), control, STAGES)).toEqual({ kind: 'hole' });
    expect([open.batches, partition.position]).toEqual([[], 0]);
  });

  it('a cut of a claim that is over by its turn is not sent', async () => {
    await feed(partition, batchOf(0, 100), control, STAGES);
    partition.state = 'lost';
    release();
    await partition.sends.fewerThan(1);
    expect(open.batches).toEqual([]);
  });
});

it('goes on behind what scripts that were given up have enqueued: the ledger says that it leaves no hole', async () => {
  const { outlet, batches } = await openShard(async (last) => ({ enqueued: Math.max(last, 51) }));
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  held.adopt([{ ...outlet, claim: claimOf('only') }], 0, { generation: 0, reached: -1, finished: [] });
  held.begin();
  const control = { isCurrent: () => true, heartbeat: async () => {}, resolve: () => {} };
  await feed(held, batchOf(0, 10), control, STAGES);
  await held.sends.fewerThan(1);
  expect(await feed(held, batchOf(52, 10), control, STAGES)).toEqual({ kind: 'taken' });
  await held.sends.fewerThan(1);
  await outlet.shard.stop();
  expect(batches.map(({ expected, last }) => [expected, last])).toEqual([
    [-1, 9],
    [51, 61],
  ]);
});

it('takes nothing of a batch from further on than the partition is: what lies between is no gap', async () => {
  const { outlet, batches } = await openShard();
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  held.adopt([{ ...outlet, claim: claimOf('only') }], 0, { generation: 0, reached: -1, finished: [] });
  held.begin();
  const control = { isCurrent: () => true, heartbeat: async () => {}, resolve: () => {} };
  expect(await feed(held, batchOf(100, 100), control, STAGES)).toEqual({ kind: 'ahead' });
  await outlet.shard.stop();
  expect([batches, held.position, held.settled]).toEqual([[], 0, 0]);
});

describe('with its last cut on its way', () => {
  const replies: PromiseWithResolvers<object>[] = [];
  const held = () => {
    const partition = new HeldPartition({ topic: 't', partition: 0 }, 1);
    partition.adopt([{ ...open.outlet, claim: claimOf('only') }], 0, { generation: 0, reached: -1, finished: [] });
    partition.begin();
    return partition;
  };
  const control = (resolved: number[]) => ({
    isCurrent: () => true,
    heartbeat: async () => {},
    resolve: (offset: number) => void resolved.push(offset),
  });
  let open: Awaited<ReturnType<typeof openShard>>;

  beforeEach(async () => {
    replies.length = 0;
    open = await openShard((last) => {
      const reply = Promise.withResolvers<object>();
      replies.push(reply);
      if (last < CUT) reply.resolve({});
      return reply.promise;
    });
  });
  afterEach(() => open.outlet.shard.stop());

  it('ends, and lets Kafka be asked for what comes behind', async () => {
    const resolved: number[] = [];
    const partition = held();
    expect(await feed(partition, batchOf(0, 2 * CUT), control(resolved), STAGES)).toEqual({ kind: 'taken' });
    expect([partition.acked, partition.position, partition.sends.areUnderWay]).toEqual([CUT - 1, 2 * CUT, true]);
    expect(resolved).toEqual([2 * CUT - 1]);
    replies.at(-1)?.resolve({});
    await partition.sends.fewerThan(1);
    expect([partition.acked, partition.sends.failure]).toEqual([2 * CUT - 1, undefined]);
  });

  it('is taken back when it turns out not to be taken', async () => {
    const partition = held();
    await feed(partition, batchOf(0, 2 * CUT), control([]), STAGES);
    replies.at(-1)?.reject(new SluiceError('UNREACHABLE', 'gone'));
    await partition.sends.fewerThan(1);
    expect(partition.sends.failure).toEqual({ kind: 'closed' });
    takeBack(partition, partition.sends);
    expect([partition.position, partition.sends.failure]).toEqual([CUT, undefined]);
  });

  it.each([
    ['with records', 10],
    ['without any', 0],
  ])('a batch that comes meanwhile, %s, ends with it and leaves no hole', async (_, count) => {
    const resolved: number[] = [];
    const partition = held();
    await feed(partition, batchOf(0, 2 * CUT), control([]), STAGES);
    replies.at(-1)?.reject(new SluiceError('UNREACHABLE', 'gone'));
    await partition.sends.fewerThan(1);
    const second = feed(partition, batchOf(2 * CUT, count), control(resolved), STAGES);
    replies.at(-1)?.resolve({ status: 'behind', enqueued: CUT - 1 });
    expect(await second).toEqual({ kind: 'closed' });
    expect([partition.position, partition.acked]).toEqual([CUT, CUT - 1]);
    expect(resolved).toEqual([]);
  });

  it('has what fails without a reason of its own told', async () => {
    const partition = held();
    await feed(partition, batchOf(0, 2 * CUT), control([]), STAGES);
    const error = new TypeError('a mistake');
    replies.at(-1)?.reject(error);
    await partition.sends.fewerThan(1);
    expect(partition.sends.failure).toEqual({ kind: 'failed', error });
  });
});
