/** What flows is sent where it stands whenever something is amiss, and only what this assignment has is ever held. */
import { expect, it, vi } from 'vitest';
import type { Delays } from '../../src/bridge/delays.ts';
import { Flow, type FlowOptions } from '../../src/bridge/flow.ts';
import { HeldPartition } from '../../src/bridge/held-partition.ts';
import type { Holdings } from '../../src/bridge/holdings.ts';
import type { Shard } from '../../src/bridge/shard.ts';
import { Slots } from '../../src/bridge/slots.ts';
import type { TopicPlan } from '../../src/bridge/topic-plan.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { SluiceError } from '../../src/errors.ts';
import type { GroupConsumer, KafkaRecord } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Claim, Sink } from '../../src/queue/sink.ts';

const SINK_ERROR = new SluiceError('UNREACHABLE', 'gone');

/** A shard whose gate stays open, with one partition after the other of one name. */
function setUp(
  enqueue: () => Promise<unknown>,
  carried: FlowOptions['carried'] = async () => [],
  clock: Clock = systemClock,
) {
  const said: string[] = [];
  const shard = { name: 'main', slots: new Slots(2), isOpen: true, isReachable: true } as unknown as Shard;
  const nothing = () => {};
  Object.assign(shard, { admit: () => true, sent: nothing, answered: nothing, failed: nothing, enqueued: nothing });
  Object.assign(shard, { footprint: { expected: () => 0 } });
  const everything: HeldPartition[] = [];
  let present: HeldPartition;
  const consumer: Partial<GroupConsumer> = {
    pause: () => void said.push('pause'),
    resume: () => void said.push('resume'),
    seek: (_, offset) => void said.push(`seek ${offset}`),
  };
  const stages: TopicPlan['stages'] = {
    decode: () => ({ reason: 'invalid', error: 'no job' }),
    route: () => ({ reason: 'invalid', error: 'no job' }),
    letters: { reject: async () => {}, bury: async () => {} },
    delays: { isForOthers: () => false, dueOf: () => undefined, take: async () => {} } as unknown as Delays,
    metrics: createMetrics(),
    clock: systemClock,
  };
  const flow = new Flow({
    holdings: { all: everything, get: () => present, reclaim: nothing } as unknown as Holdings,
    consumer: () => consumer as GroupConsumer,
    plan: () => ({ stages, outlets: [{ shard }] }) as unknown as TopicPlan,
    carried,
    log: silentLog,
    clock,
    signal: new AbortController().signal,
  });
  function assign(): HeldPartition {
    present = new HeldPartition({ topic: 't', partition: 0 }, 1);
    const sink = { isTracked: true, enqueue } as unknown as Sink;
    const claim = { enqueued: -1 } as Claim;
    present.adopt([{ shard, sink, claim }], 0, { generation: 0, reached: -1, finished: [] });
    present.begin();
    present.isFlowing = true;
    return present;
  }
  return { flow, shard, said, everything, assign };
}

function batch(start: number, count: number) {
  const record = (offset: number): KafkaRecord => ({ offset, key: null, value: null, headers: {}, timestamp: 0 });
  const records = Array.from({ length: count }, (_, i) => record(start + i));
  return { topic: 't', partition: 0, epoch: 1, records, start, end: start + count, highWatermark: start + count };
}

const CONTROL = { isCurrent: () => true, resolve: () => {}, heartbeat: async () => {} };

it.each([
  ['whose last cut failed behind its batch', 0],
  ['that a batch from further on came for', 50],
])('holds a partition %s', async (_, start) => {
  const { flow, said, assign } = setUp(async () => {
    await systemClock.sleep(5);
    throw SINK_ERROR;
  });
  const each = assign();
  await flow.records(batch(start, 100), CONTROL);
  await flow.sent();
  expect([said, each.isFlowing, each.position]).toEqual([['pause'], false, 0]);
});

it('holds a partition whose batch was broken off, for the client may go on from further ahead', async () => {
  const reply = Promise.withResolvers<unknown>();
  const { flow, said, assign } = setUp(() => reply.promise);
  const each = assign();
  await flow.records(batch(0, 100), CONTROL);
  const heartbeat = async () => {
    reply.reject(SINK_ERROR);
    throw new Error('no heartbeat');
  };
  await expect(flow.records(batch(100, 100), { ...CONTROL, heartbeat })).rejects.toThrow('no heartbeat');
  expect([said, each.isFlowing, each.position]).toEqual([['pause'], false, 0]);
});

it('lets the partition of a later assignment flow when a cut of the earlier one fails', async () => {
  const reply = Promise.withResolvers<unknown>();
  const { flow, said, assign } = setUp(() => reply.promise);
  const before = assign();
  await flow.records(batch(0, 100), CONTROL);
  before.state = 'lost';
  const after = assign();
  reply.resolve({ status: 'disowned', enqueued: -1 });
  await flow.sent();
  expect([said, after.isFlowing]).toEqual([[], true]);
});

/** Waits are over at once. */
function hurriedClock(): Clock {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => Date.now() + ahead,
    sleep: async (ms) => {
      ahead += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

it('keeps what is carried while its records are read and the commit passes it', async () => {
  const reads: (readonly number[])[] = [];
  const { flow, everything, assign } = setUp(
    async () => ({ status: 'ok', enqueued: 4, usedBytes: 0, created: 0, existed: 0, depth: 0 }),
    async (each) => {
      reads.push([...each.carried]);
      if (reads.length > 2) return new Promise(() => {});
      each.carried.add(8);
      each.committed = reads.length === 1 ? 5 : 9;
      return [];
    },
    hurriedClock(),
  );
  const each = assign();
  Object.assign(each, { isFlowing: false, carried: new Set([3]), committed: 5, position: 3 });
  everything.push(each);
  flow.regulate();
  await vi.waitFor(() => expect(reads).toEqual([[3], [3, 8], [8]]));
});

type Look = Parameters<typeof setUp>[1];

/** A partition whose only carried record `look` is asked for; resolves when it goes on behind it. */
async function goesOnWithout(look: Look) {
  const reply = { status: 'ok', enqueued: 9, usedBytes: 0, created: 0, existed: 0, depth: 0 };
  const { flow, said, everything, assign } = setUp(async () => reply, look, hurriedClock());
  const each = assign();
  Object.assign(each, { isFlowing: false, carried: new Set([3]), committed: 5, position: 3 });
  each.shards[0]?.finished.addExcept(0, 5, [3]);
  everything.push(each);
  flow.regulate();
  await vi.waitFor(() => expect(said).toEqual(['seek 5', 'resume']));
  return { flow, said, each };
}

it('goes on behind carried records that are not there any more', async () => {
  const looks: number[] = [];
  const { flow, said, each } = await goesOnWithout(async ({ carried }: HeldPartition) => {
    looks.push(carried.size);
    return [];
  });
  await flow.records(batch(5, 5), CONTROL);
  expect([said, each.position]).toEqual([['seek 5', 'resume'], 10]);
  // One look may be wrong.
  expect(looks).toEqual([1, 1]);
});

it('gives up no carried record that two looks under different claims have not found', async () => {
  let looks = 0;
  await goesOnWithout(async (of: HeldPartition) => {
    looks += 1;
    // Claimed anew since the first look.
    if (looks === 2) of.shards = [...of.shards];
    return [];
  });
  expect(looks).toBe(3);
});
