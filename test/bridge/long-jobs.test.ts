import { expect, it } from 'vitest';
import type { Delays } from '../../src/bridge/delays.ts';
import { HeldPartition } from '../../src/bridge/held-partition.ts';
import { LONG_JOB_LIMITS, LongJobs } from '../../src/bridge/long-jobs.ts';
import type { Shard } from '../../src/bridge/shard.ts';
import type { KafkaAdmin, KafkaRecord, RecordReader } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Sink } from '../../src/queue/sink.ts';

const HOUR = 3_600_000;
const RETENTION = 168 * HOUR;
const START = 100;

/** A partition whose offsets below 100 are finished, and whose log holds what the test puts there. */
function setUp() {
  const claim = {
    ledger: { cluster: 'c', group: 'g', topic: 't', partition: 0 },
    generation: 0,
    token: 'token',
    incarnation: 'i',
    enqueued: START - 1,
    isReconciled: true,
  };
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  const outlet = { shard: { name: 'main' } as Shard, sink: { isTracked: true } as Sink };
  /** As after a loss of the claim: nothing of the log is known to be a job any more. */
  const claimAnew = () => {
    held.adopt([{ ...outlet, claim }], START, { generation: 0, reached: START - 1, finished: [] });
    held.begin();
  };
  claimAnew();
  held.confirmation = 'given';
  const carried: number[] = [];
  const log: KafkaRecord[] = [];
  const hooks = { afterRead: () => {} };
  let now = 0;

  /** The log grows by records that are jobs, the lowest of which goes on running. */
  const arrive = (count: number) => {
    for (let offset = START; offset < START + count; offset++)
      log.push({ offset, timestamp: now, key: null, value: Buffer.from(''), headers: {} });
    for (const each of held.shards) each.acked = START + count - 1;
  };

  const reader: Pick<RecordReader, 'read'> = {
    async read(_topic, _partition, from, { maxRecords = 1_000 } = {}) {
      const found = log.filter(({ offset }) => offset >= from).slice(0, maxRecords);
      if (maxRecords > 1) hooks.afterRead();
      return found;
    },
  };
  const delays: Pick<Delays, 'carry' | 'release'> = {
    carry: async (_held, records) => void carried.push(...records.map(({ offset }) => offset)),
    release: async () => {},
  };
  const settings = new Map([['t', new Map([['retention.ms', String(RETENTION)]])]]);
  let left = 0;
  let everyMs = 0;
  const sleep = async () => {
    now += everyMs;
    left -= 1;
  };
  const signal = {
    get aborted() {
      return left === 0;
    },
  } as AbortSignal;
  const jobs = new LongJobs({
    limits: LONG_JOB_LIMITS,
    held: () => [held],
    delays: delays as Delays,
    reader: reader as RecordReader,
    admin: { settings: async () => settings } as unknown as KafkaAdmin,
    log: silentLog,
    metrics: createMetrics(),
    clock: { now: () => now, sleep },
    signal,
  });

  const look = (looks: number, pauseMs: number) => {
    [left, everyMs] = [looks, pauseMs];
    return jobs.run();
  };
  return { held, carried, hooks, arrive, look, claimAnew };
}

it('judges the record of a long job that comes to an idle partition', async () => {
  const { held, carried, arrive, look } = setUp();
  await look(5, 1_000);
  arrive(1);
  await look(80, HOUR);
  expect(held.retentionLeftMs).toBeLessThan(RETENTION - 70 * HOUR);
  expect(carried).toEqual([]);
  await look(10, HOUR);
  expect(carried).toEqual([START]);
});

it('carries no more than 10,000 of a partition, the lowest, and more when some of them are finished', async () => {
  const { held, carried, arrive, look } = setUp();
  arrive(10_100);
  await look(3, 100 * HOUR);
  expect([carried.length, carried.at(-1)]).toEqual([10_000, START + 9_999]);
  expect(held.settled).toBe(START + 10_000);
  for (const { finished } of held.shards) finished.add(START, START + 30);
  await look(12, 1_000);
  expect([carried.length, carried.at(-1)]).toEqual([10_030, START + 10_029]);
});

it.each(['claimed anew', 'revoked'] as const)(
  'carries nothing of a partition that was %s while it read',
  async (what) => {
    const { held, carried, hooks, arrive, look, claimAnew } = setUp();
    arrive(10);
    hooks.afterRead = () => {
      if (what === 'revoked') held.state = 'lost';
      else claimAnew();
      // By the new claim they are jobs again.
      for (const each of held.shards) each.acked = START + 9;
    };
    await look(1, 100 * HOUR);
    expect(carried).toEqual([]);
  },
);
