/** What a claim finds and leaves in a real Redis that has lost the ledger. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { claimPartition } from '../../src/bridge/assignment.ts';
import { HeldPartition } from '../../src/bridge/held-partition.ts';
import { encodeMetadata } from '../../src/bridge/metadata.ts';
import { Recovery } from '../../src/bridge/recovery.ts';
import type { Shard } from '../../src/bridge/shard.ts';
import type { GroupConsumer } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Sink } from '../../src/queue/sink.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const PLACE = { topic: 't', partition: 0 };
const END = 100;

let server: TestRedis;
let redis: Redis;
let sink: Sink;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createBullSink({ name: 'test', redis, prefix: 'bull', adder: ownAdder() });
});

beforeEach(async () => {
  await redis.flushall();
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** Claims a partition whose every record is finished, those aside that are carried, and whose log ends at 100. */
async function claim(...carried: number[]) {
  const held = new HeldPartition(PLACE, 1);
  const outlets = [{ sink, shard: { name: 'main', failed: () => {} } as unknown as Shard }];
  const metadata = encodeMetadata(END, { generation: 0, reached: END - 1, finished: [], fingerprint: 'f' });
  const bounds = new Map([['t/0', { low: 0, high: END }]]);
  const outcome = await claimPartition(held, {
    consumer: { commit: async () => {} } as unknown as GroupConsumer,
    view: { cluster: 'c', group: 'g', committed: new Map([['t/0', { offset: END, metadata }]]), bounds },
    fingerprint: 'f',
    boundsNow: async () => bounds,
    carried: carried.map((offset) => ({
      generation: 0,
      record: { offset, key: null, value: Buffer.from(''), headers: {}, timestamp: 0 },
    })),
    outlets,
    allOutlets: outlets,
  });
  return { held, loss: outcome?.loss };
}

it('makes the loss of a ledger good at once where everything is finished, and finds it once', async () => {
  const { held, loss } = await claim();
  expect(loss).toEqual({ reached: 99, left: -1 });
  const recovery = new Recovery({ at: 0, reached: 99, left: -1 }, undefined);
  expect(recovery.made(held, 1)).toMatchObject({ kind: 'emptied', enqueuedAgain: 0 });
  expect(held.position).toBe(END);
  const again = await claim();
  expect(again.loss).toBeUndefined();
  expect(again.held.reached).toBe(99);
});

it('waits for the lost jobs of carried records, the lowest first', async () => {
  const { held, loss } = await claim(40, 60);
  expect(loss).toEqual({ reached: 99, left: -1 });
  expect([held.acked, held.position]).toEqual([-1, 40]);
});
