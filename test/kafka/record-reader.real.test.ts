/** Positions in real logs: what every kind of producer wrote, what is not there any more, and a broker that is away. */
import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startKafkaProxy } from '../../src/faults/kafka-proxy.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import type { KafkaRecord, RecordReader } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { silentLog } from '../../src/log.ts';
import { kafkaBrokers } from '../support/stack.ts';

let reader: RecordReader;
let peer: Kafka;
let admin: Admin;

beforeAll(async () => {
  reader = createRecordReader(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  peer = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING });
  admin = peer.admin();
  await admin.connect();
});

afterAll(async () => {
  await Promise.all([reader.stop(1_000), admin.disconnect()]);
});

async function topicWith(settings: Readonly<Record<string, string>> = {}): Promise<string> {
  const topic = `read.${randomUUID().slice(0, 8)}`;
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1, configEntries }] });
  return topic;
}

const told = (records: readonly KafkaRecord[]) => records.map(({ offset, value }) => [offset, String(value)]);

it.each(['None', 'GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const)('reads from the middle of a batch, %s', async (name) => {
  const topic = await topicWith();
  const producer = peer.producer();
  await producer.connect();
  const messages = ['a', 'b', 'c', 'd'].map((value) => ({ key: `k-${value}`, value, headers: { v: value } }));
  await producer.send({ topic, compression: kafkajs.CompressionTypes[name], messages });
  await producer.disconnect();
  const records = await reader.read(topic, 0, 1, { maxRecords: 2 });
  expect(told(records)).toEqual([
    [1, 'b'],
    [2, 'c'],
  ]);
  expect(records[0]).toMatchObject({ key: Buffer.from('k-b'), headers: { v: 'b' } });
  expect(await reader.read(topic, 0, 4)).toEqual([]);
});

it('passes by aborted records and the marks of transactions, wherever it starts', async () => {
  const topic = await topicWith();
  const producer = peer.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const value of ['a', 'gone', 'gone too', 'b', 'gone at the end']) {
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value }] });
    await (value.startsWith('gone') ? transaction.abort() : transaction.commit());
  }
  await producer.disconnect();
  for (const from of [1, 2, 3, 4, 5, 6]) expect(told(await reader.read(topic, 0, from))).toEqual([[6, 'b']]);
  expect(told(await reader.read(topic, 0, 0))).toEqual([
    [0, 'a'],
    [6, 'b'],
  ]);
  for (const from of [7, 8, 9, 10]) expect(await reader.read(topic, 0, from)).toEqual([]);
});

it('reads nothing of a transaction that is not decided', async () => {
  const topic = await topicWith();
  const producer = peer.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: 'a' }] });
  expect(await reader.read(topic, 0, 0)).toEqual([]);
  await transaction.commit();
  await vi.waitFor(async () => expect(told(await reader.read(topic, 0, 0))).toEqual([[0, 'a']]));
  await producer.disconnect();
});

it('reads on behind what compaction took away', async () => {
  const topic = await topicWith({
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.01',
    'delete.retention.ms': '100',
  });
  const producer = createRecordProducer(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  for (let i = 0; i < 6; i++)
    await producer.send(topic, [{ key: i === 3 ? 'other' : 'same', value: Buffer.from(`${i}`) }]);
  await vi.waitFor(
    async () => {
      // The active segment is never compacted.
      await producer.send(topic, [{ key: 'same', value: Buffer.from('late') }]);
      expect((await reader.read(topic, 0, 0))[0]?.offset).toBe(3);
    },
    { timeout: 50_000, interval: 500 },
  );
  const records = await reader.read(topic, 0, 1);
  expect(told(records)[0]).toEqual([3, '3']);
  expect(String(records.at(-1)?.value)).toBe('late');
  await producer.stop(1_000);
});

it('says that the log does not hold an offset, or that there is no such partition', async () => {
  const topic = await topicWith();
  const producer = createRecordProducer(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  await producer.send(
    topic,
    [1, 2, 3, 4].map((i) => ({ key: null, value: Buffer.from(`${i}`) })),
  );
  await producer.stop(1_000);
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
  const outOfRange = { code: 'OUT_OF_RANGE', message: expect.stringContaining(`${topic}/0: the log does not hold`) };
  await expect(reader.read(topic, 0, 1)).rejects.toMatchObject(outOfRange);
  await expect(reader.read(topic, 0, 5)).rejects.toMatchObject(outOfRange);
  expect(told(await reader.read(topic, 0, 2))).toEqual([
    [2, '3'],
    [3, '4'],
  ]);
  await expect(reader.read(topic, 7, 0)).rejects.toMatchObject({ code: 'UNFIT' });
  await expect(reader.read(`${topic}.none`, 0, 0)).rejects.toMatchObject({ code: 'UNFIT' });
  expect(told(await reader.read(topic, 0, 3))).toEqual([[3, '4']]);
});

it('reads a record that is larger than was asked for', async () => {
  const topic = await topicWith();
  const producer = createRecordProducer(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  await producer.send(topic, [{ key: null, value: Buffer.alloc(500_000, 'x') }]);
  await producer.stop(1_000);
  expect((await reader.read(topic, 0, 0, { maxBytes: 1_000 }))[0]?.value?.length).toBe(500_000);
});

it('is UNREACHABLE while the broker is away or hangs, and reads again when it is back', async () => {
  const topic = await topicWith();
  const producer = createRecordProducer(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  await producer.send(topic, [{ key: null, value: Buffer.from('a') }]);
  await producer.stop(1_000);
  const proxy = await startKafkaProxy(kafkaBrokers()[0] as string);
  const behind = createRecordReader(kafkaConfig.parse({ brokers: proxy.brokers }), silentLog, 3_000);
  expect(told(await behind.read(topic, 0, 0))).toEqual([[0, 'a']]);
  await proxy.goAway();
  await expect(behind.read(topic, 0, 0)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await proxy.comeBack();
  expect(told(await behind.read(topic, 0, 0))).toEqual([[0, 'a']]);
  proxy.hang();
  await expect(behind.read(topic, 0, 0)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  proxy.wake();
  expect(told(await behind.read(topic, 0, 0))).toEqual([[0, 'a']]);
  await behind.stop(1_000);
  await proxy.stop();
});

it('says whether a record can be read at what comes next: not while its transaction is open', async () => {
  const topic = await topicWith();
  const producer = peer.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: 'a' }] });
  expect(await reader.next(topic, 0, 0)).toEqual({ offset: 0, isRecord: false });
  await transaction.commit();
  await expect.poll(() => reader.next(topic, 0, 0)).toEqual({ offset: 0, isRecord: true });
  expect(await reader.next(topic, 0, 1)).toEqual({ offset: 2, isRecord: false });
  await producer.disconnect();
});
