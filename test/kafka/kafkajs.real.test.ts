import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { registerCodecs } from '../../src/kafka/codecs.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import type { GroupConsumer, KafkaRecord } from '../../src/kafka/consumer.ts';
import { createGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { describeKafka, type KafkaUnderTest } from '../conformance/kafka.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { kafkaBrokers } from '../support/stack.ts';
import { writeScript } from '../support/transactions.ts';

const SOON = { timeout: 15_000, interval: 50 };

let under: KafkaUnderTest;

beforeAll(() => {
  const config = kafkaConfig.parse({ brokers: kafkaBrokers(), sessionTimeoutMs: 2_000 });
  under = {
    admin: createKafkaAdmin(config, silentLog),
    producer: createRecordProducer(config, silentLog),
    consumer: (groupId, topics, handlers) =>
      createGroupConsumer({ config: { ...config, groupId }, topics, handlers, log: silentLog }),
  };
});

afterAll(async () => {
  await Promise.all([under.admin.stop(1_000), under.producer.stop(1_000)]);
});

describe('KafkaJS', () => {
  describeKafka(() => under);

  it.each(['GZIP', 'Snappy', 'LZ4', 'ZSTD'] as const)('reads what was compressed by %s', async (name) => {
    registerCodecs();
    const { topic, groupId, kafka, stop } = await makeTopic(1);
    const producer = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING }).producer();
    await producer.connect();
    const value = 'compressible '.repeat(500);
    await producer.send({ topic, compression: kafkajs.CompressionTypes[name], messages: [{ value }, { value: 'x' }] });
    await producer.disconnect();
    await expectFound([value, 'x'], { topic, groupId, kafka });
    await stop();
  });

  it('passes by the marks of transactions, and what was aborted', async () => {
    const { topic, groupId, kafka, stop } = await makeTopic(1);
    const peer = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING }).producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await peer.connect();
    for (const value of ['a', 'dropped', 'b']) {
      const transaction = await peer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await (value === 'dropped' ? transaction.abort() : transaction.commit());
    }
    await peer.send({ topic, messages: [{ value: 'c' }] });
    await peer.disconnect();
    await expectFound(['a', 'b', 'c'], { topic, groupId, kafka });
    await stop();
  });

  it.each([
    ['enclose each other', 'a - b a c - b! a c. - a! - a b c c! b! a! -'],
    ['overlap each other', 'a b - a! b c b! c. - c a b a! c b! c. -'],
    ['follow each other', 'a a! a b a. a b! - a! a. b b. a! -'],
    ['have records with keys like that of a mark', 'a0 a - a! b a0 a b! - a! b0 b. -'],
  ])('passes by aborted transactions that %s, wherever it begins', async (_, script) => {
    const place = await makeTopic(1);
    const { topic, stop } = place;
    const counting = await writeScript(topic, script);
    const reading = read(place);
    await reading.consumer.start();
    for (let from = 0; from <= (counting.at(-1)?.offset as number); from++) {
      const expected = counting.filter(({ offset }) => offset >= from).map(({ text }) => text);
      await vi.waitFor(() => expect([from, ...reading.texts()]).toEqual([from, ...expected]), SOON);
      reading.goTo(from + 1);
    }
    await stop();
  });

  it('goes on behind aborted transactions that are larger than a fetch', async () => {
    const place = await makeTopic(1);
    const { topic, stop } = place;
    await writeScript(topic, '- A B A - B A b b! B B! A! -');
    const reading = read(place);
    await reading.consumer.start();
    // The differences of large texts would take minutes to tell.
    const found = () => reading.texts().map((text) => text.trimEnd());
    await vi.waitFor(() => expect(found()).toEqual(['-0', '-4', '-12']), SOON);
    await stop();
  });

  it('tells how far a fetch went when marks of transactions lie behind the last record', async () => {
    const { topic, groupId, kafka, stop } = await makeTopic(1);
    const peer = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING }).producer({
      transactionalId: topic,
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await peer.connect();
    const transaction = await peer.transaction();
    await transaction.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] });
    await transaction.commit();
    await peer.disconnect();
    expect(await expectFound(['a', 'b'], { topic, groupId, kafka })).toBe(3);
    await stop();
  });
});

type Place = Pick<TestTopic, 'topic' | 'groupId' | 'kafka'>;

/** What a member finds from offset 0 on, or from where it is sent. */
function read({ topic, groupId, kafka }: Place) {
  let found: KafkaRecord[] = [];
  let end = 0;
  const consumer: GroupConsumer = createGroupConsumer({
    config: { ...kafka, groupId },
    topics: [topic],
    log: silentLog,
    handlers: {
      assigned: ({ partitions }) => {
        for (const each of partitions) consumer.seek(each, 0);
        consumer.resume(partitions);
      },
      revoked: () => undefined,
      records: async ({ records, end: fetchedTo }, control) => {
        found.push(...records);
        end = fetchedTo;
        control.resolve(records.at(-1)?.offset as number);
      },
      outOfRange: () => undefined,
      failed: () => undefined,
    },
  });
  onTestFinished(() => consumer.stop(2_000));
  return {
    consumer,
    texts: () => found.map(({ value }) => String(value)),
    /** How far the last fetch went. */
    end: () => end,
    goTo(offset: number) {
      found = [];
      consumer.seek({ topic, partition: 0 }, offset);
    },
  };
}

/** Answers how far the last fetch went. */
async function expectFound(values: readonly string[], place: Place): Promise<number> {
  const { consumer, texts, end } = read(place);
  await consumer.start();
  await vi.waitFor(() => expect(texts()).toEqual(values), SOON);
  await consumer.stop(2_000);
  return end();
}
