import { expect, it } from 'vitest';
import type { Rejection } from '../../src/bridge/decode.ts';
import { feed, type Stages } from '../../src/bridge/feed.ts';
import { HeldPartition } from '../../src/bridge/held-partition.ts';
import { Shard } from '../../src/bridge/shard.ts';
import { systemClock } from '../../src/clock.ts';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { Claim, Sink, Sinks } from '../../src/queue/sink.ts';

const metrics = createMetrics();
const CUT = 500;

function claimOf(token: string): Claim {
  const ledger = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
  return { ledger, generation: 0, token, incarnation: 'i', enqueued: -1, isReconciled: true };
}

/** A shard that takes every batch, and the batches that it was sent. */
async function openShard() {
  const batches: { token: string; expected: number; last: number }[] = [];
  const sink: Partial<Sink> = {
    isTracked: true,
    async enqueue({ token }, expected, { last }) {
      batches.push({ token, expected, last });
      return { status: 'ok', enqueued: last, usedBytes: 0, created: 0, existed: 0, depth: 0 };
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

it('sends nothing of a batch under a claim that was made anew while a letter was written (rule 8)', async () => {
  const { outlet, batches } = await openShard();
  const held = new HeldPartition({ topic: 't', partition: 0 }, 1);
  const claimed = (token: string) => {
    held.adopt([{ ...outlet, claim: claimOf(token) }], 0, { generation: 0, reached: -1, finished: [] });
    held.begin();
  };
  claimed('first');
  const resolved: number[] = [];
  const records = Array.from({ length: 2 * CUT }, (_, i) => recordAt(i));
  const rejection: Rejection = { reason: 'invalid', error: 'no job' };

  const end = await feed(
    held,
    { topic: 't', partition: 0, epoch: 1, highWatermark: 2 * CUT, end: 2 * CUT, records },
    { isCurrent: () => true, heartbeat: async () => {}, resolve: (offset) => void resolved.push(offset) },
    {
      ...{ metrics, clock: systemClock },
      delays: { isForOthers: () => false, dueOf: () => undefined, take: async () => {} } as unknown as Stages['delays'],
      decode: () => rejection,
      route: () => rejection,
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
  expect(batches).toEqual([{ token: 'first', expected: -1, last: CUT - 1 }]);
  expect(resolved).toEqual([]);
  expect(held.position).toBe(0);
});
