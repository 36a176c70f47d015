import { expect, it, vi } from 'vitest';
import type { HeldPartition } from '../../src/bridge/held-partition.ts';
import { Holdings, type HoldingsOptions } from '../../src/bridge/holdings.ts';
import type { Shard } from '../../src/bridge/shard.ts';
import type { TopicPlan } from '../../src/bridge/topic-plan.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import type { GroupConsumer, KafkaAdmin } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Sink } from '../../src/queue/sink.ts';

const PARTITIONS = 20;
/** As holdings.ts has it. */
const BETWEEN_ROUNDS_MS = 500;
const places = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 't', partition }));

/** Holdings of one topic with a ledger that says yes to everything, and a count of the looks at Kafka. */
function setUp(
  claiming: (partition: number) => Promise<void> = async () => {},
  clock: Clock = systemClock,
  carried: HoldingsOptions['carried'] = async () => [],
) {
  const bounds = new Map(places.map(({ partition }) => [`t/${partition}`, { low: 0, high: 0 }]));
  const committed = vi.fn(async () => new Map());
  const sink: Pick<Sink, 'claim'> = {
    async claim(ledger, generation) {
      await claiming(ledger.partition);
      return { ledger, generation, token: 'token', incarnation: 'i', enqueued: -1, isReconciled: true };
    },
  };
  const shard = { name: 'main', sinks: { bullmq: sink }, failed: () => {} } as unknown as Shard;
  const options: HoldingsOptions = {
    groupId: 'g',
    topics: ['t'],
    admin: { clusterId: async () => 'c', committed, bounds: async () => bounds } as unknown as KafkaAdmin,
    consumer: () => ({ commit: async () => {} }) as unknown as GroupConsumer,
    plan: () => ({ outlets: [{ shard, sink }], fingerprint: 'f' }) as unknown as TopicPlan,
    shards: new Map([['main', shard]]),
    carried,
    onChange: () => {},
    log: silentLog,
    metrics: createMetrics(),
    clock,
    signal: new AbortController().signal,
  };
  return { holdings: new Holdings(options), committed };
}

const areReady = (holdings: Holdings) =>
  vi.waitFor(() => expect(holdings.all.every(({ isReady }) => isReady)).toBe(true));

it('claims partitions again together, with one look at Kafka', async () => {
  const { holdings, committed } = setUp();
  holdings.assigned({ epoch: 1, partitions: places });
  await areReady(holdings);
  for (const each of holdings.all) holdings.reclaim(each, 'disowned');
  await areReady(holdings);
  expect(holdings.claims).toBe(2 * PARTITIONS);
  expect(committed).toHaveBeenCalledTimes(2);
});

it('does not claim again what was revoked meanwhile, and claims again later what is lost later', async () => {
  const { holdings, committed } = setUp();
  holdings.assigned({ epoch: 1, partitions: places });
  await areReady(holdings);
  for (const each of holdings.all) holdings.reclaim(each, 'disowned');
  holdings.revoked();
  holdings.assigned({ epoch: 2, partitions: places.slice(0, 1) });
  await areReady(holdings);
  const [each] = holdings.all;
  if (each !== undefined) holdings.reclaim(each, 'disowned');
  await areReady(holdings);
  expect(holdings.claims).toBe(PARTITIONS + 2);
  expect(committed).toHaveBeenCalledTimes(3);
});

it.each([
  ['is being claimed', false],
  ['is in work again', true],
])('does not claim a partition that %s, though two rounds of claims know of it', async (_, isClaimedBefore) => {
  const [neighbour, claim, pause] = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
  const found: string[] = [];
  let underWay = 0;
  let neighbours = 0;
  const sleep = vi.fn(async (ms: number) => {
    if (ms === BETWEEN_ROUNDS_MS) await pause?.promise;
    await new Promise((resolve) => setImmediate(resolve));
  });
  const { holdings } = setUp(
    async (partition) => {
      if (partition === 1) {
        neighbours += 1;
        if (neighbours > 1) return;
        await neighbour?.promise;
        throw new Error('not now');
      }
      found.push(`${holdings.all[0]?.state} ${underWay}`);
      underWay += 1;
      if (found.length > 1) await claim?.promise;
      underWay -= 1;
    },
    { ...systemClock, sleep },
  );
  holdings.assigned({ epoch: 1, partitions: places.slice(0, 2) });
  await vi.waitFor(() => expect(holdings.all[0]?.isReady).toBe(true));
  holdings.reclaim(holdings.all[0] as HeldPartition, 'disowned');
  await vi.waitFor(() => expect(found).toHaveLength(2));
  // The first round goes on for its neighbour, and finds the partition in claiming too.
  neighbour?.resolve();
  await vi.waitFor(() => expect(sleep).toHaveBeenCalledWith(BETWEEN_ROUNDS_MS, expect.anything()));
  if (isClaimedBefore) claim?.resolve();
  if (isClaimedBefore) await vi.waitFor(() => expect(holdings.all[0]?.isReady).toBe(true));
  pause?.resolve();
  await vi.waitFor(() => expect(holdings.all[1]?.isReady).toBe(true));
  claim?.resolve();
  await areReady(holdings);
  expect(found).toEqual(['claiming 0', 'claiming 0']);
});

it('does not claim what was revoked while it looked for carried records', async () => {
  const claimed = vi.fn(async () => {});
  const look = Promise.withResolvers<[]>();
  const carried = vi.fn(() => look.promise);
  const { holdings } = setUp(claimed, systemClock, carried);
  holdings.assigned({ epoch: 1, partitions: places.slice(0, 1) });
  await vi.waitFor(() => expect(carried).toHaveBeenCalled());
  const [each] = holdings.all;
  holdings.revoked();
  look.resolve([]);
  await vi.waitFor(() => expect(each?.isInClaim).toBe(false));
  expect(claimed).not.toHaveBeenCalled();
});
