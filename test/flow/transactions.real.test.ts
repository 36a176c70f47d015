/** Records of transactions: what was taken back never runs, and the marks between and behind count as finished. */
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { encodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

let redis: TestRedis;
let topic: TestTopic;
let running: Running[] = [];

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(1)]);
});

afterAll(async () => {
  for (const each of running) await each.kill('SIGTERM');
  await topic.stop();
  await redis.stop();
});

it('catches up with a topic that ends with the mark of a transaction', async () => {
  const client = new kafkajs.Kafka({ brokers: topic.kafka.brokers, logLevel: kafkajs.logLevel.NOTHING });
  const producer = client.producer({ transactionalId: topic.topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const codec = loadSchemas([`${ROOT}proto`]).codec('acme.web.v1.PageView');
  const payload = codec.encode({ url: 'https://shop.example/' });
  const messages = [{ value: Buffer.from(encodeEnvelope({ type: codec.type, payload })) }];
  for (const isKept of [true, false, true, false]) {
    const transaction = await producer.transaction();
    await transaction.send({ topic: topic.topic, messages });
    await (isKept ? transaction.commit() : transaction.abort());
  }
  await producer.disconnect();
  // A transaction's end is answered before its mark is in the log.
  await vi.waitFor(async () => expect(await topic.lag()).toBe(8), { timeout: 10_000, interval: 50 });

  const env = sluiceEnv(topic, redis, 'idle-workers');
  running = [runSluice(['bridge'], { env }), runSluice(['work'], { env })];
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), { timeout: 40_000, interval: 200 });
  const reader = connect('test', redis, 'command', silentLog);
  expect(Number(await reader.get('bull:counted:id'))).toBe(2);
  await disconnect(reader);
});
