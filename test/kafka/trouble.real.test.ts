/** Kafka behind a network that breaks: nothing is lost in silence, nothing hangs, and each change is told once. */
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OFFSET_COMMIT, PRODUCE, startKafkaProxy } from '../../src/faults/kafka-proxy.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { type KafkaConfig, kafkaConfig } from '../../src/kafka/config.ts';
import type { ConsumerHandlers, GroupConsumer, KafkaAdmin, RecordProducer } from '../../src/kafka/consumer.ts';
import { createGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { type Log, silentLog } from '../../src/log.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { kafkaBrokers } from '../support/stack.ts';

const SOON = { timeout: 30_000, interval: 50 };

let proxy: Awaited<ReturnType<typeof startKafkaProxy>>;
let topic: TestTopic;
let config: KafkaConfig;
let lines: { text: string; broker?: string }[];
let log: Log;
let services: { stop(deadlineMs: number): Promise<void> }[];

beforeEach(async () => {
  proxy = await startKafkaProxy(kafkaBrokers()[0] as string);
  topic = await makeTopic(2);
  config = kafkaConfig.parse({ brokers: proxy.brokers, groupId: topic.groupId, sessionTimeoutMs: 6_000 });
  lines = [];
  const write = (fields: object, text: string) => void lines.push({ ...fields, text });
  log = { ...silentLog, info: write, warn: write, error: write };
  services = [];
});

afterEach(async () => {
  await Promise.all(services.map((service) => service.stop(1_000)));
  await proxy.stop();
  await topic.stop();
});

function producerOf(deliveryTimeoutMs?: number): RecordProducer {
  const producer = createRecordProducer(config, log, deliveryTimeoutMs);
  services.push(producer);
  return producer;
}

/** Takes everything from offset 0 on. */
function consumerOf(handlers: Partial<ConsumerHandlers> = {}, stuckAfterMs = 60_000) {
  const found: string[] = [];
  const epochs: number[] = [];
  const revoked: number[] = [];
  const failures: Error[] = [];
  const next = new Map<number, number>();
  const consumer: GroupConsumer = createGroupConsumer({
    config,
    topics: [topic.topic],
    log,
    stuckAfterMs,
    handlers: {
      assigned: ({ epoch, partitions }) => {
        epochs.push(epoch);
        for (const each of partitions) consumer.seek(each, next.get(each.partition) ?? 0);
        consumer.resume(partitions);
      },
      revoked: (epoch) => void revoked.push(epoch),
      records: async ({ partition, records }, control) => {
        for (const { offset, value } of records) {
          if (!control.isCurrent()) return;
          found.push(String(value));
          next.set(partition, offset + 1);
          control.resolve(offset);
        }
      },
      outOfRange: () => undefined,
      failed: (error) => void failures.push(error),
      ...handlers,
    },
  });
  services.push(consumer);
  return { consumer, found, epochs, revoked, failures };
}

const values = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));
const records = (from: number, to: number, key: string | null = 'k') =>
  values(from, to).map((value) => ({ key, value: Buffer.from(value) }));

async function readAll(): Promise<string[]> {
  const { consumer, found } = consumerOf();
  const starting = consumer.start();
  const size = await topic.size();
  await vi.waitFor(() => expect(found.length).toBeGreaterThanOrEqual(size), SOON);
  await starting;
  return found.sort((a, b) => Number(a) - Number(b));
}

describe('a producer', () => {
  it('writes each record once when an answer is lost', async () => {
    const producer = producerOf();
    await producer.send(topic.topic, records(0, 5));
    proxy.loseAnswerTo(PRODUCE);
    await producer.send(topic.topic, records(5, 10));
    await producer.send(topic.topic, records(10, 15));
    expect(await readAll()).toEqual(values(0, 15));
  });

  it('keeps records without a key where they were when it tries again', async () => {
    const producer = producerOf();
    for (let from = 0; from < 63; from += 21) {
      proxy.loseAnswerTo(PRODUCE);
      await producer.send(topic.topic, records(from, from + 21, null));
    }
    expect(await readAll()).toEqual(values(0, 63));
  });

  it('loses nothing of what comes after a call whose outcome is unknown', async () => {
    const producer = producerOf(1_500);
    await producer.send(topic.topic, records(0, 1));
    proxy.onRequest = (apiKey) => {
      // The broker writes the record; its answer and all that follow stay away.
      if (apiKey === PRODUCE) proxy.hang();
    };
    await expect(producer.send(topic.topic, records(1, 2))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    proxy.onRequest = () => undefined;
    proxy.wake();
    await producer.send(topic.topic, records(2, 3));
    const found = await readAll();
    expect(found).toContain('0');
    expect(found).toContain('2');
  });

  it('lets one record that is refused fail alone, and what comes later pass', async () => {
    const producer = producerOf();
    const tooLarge = { key: 'k', value: Buffer.alloc(5_000_000) };
    const sends = [records(0, 1), [tooLarge], records(1, 2), records(2, 3)].map((each) =>
      producer.send(topic.topic, each),
    );
    const outcomes = (await Promise.allSettled(sends)).map(({ status }) => status);
    expect(outcomes).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    await producer.send(topic.topic, records(3, 4));
    expect(await readAll()).toEqual(values(0, 4));
  });

  it('lets many small calls share requests', async () => {
    const producer = producerOf();
    let requests = 0;
    proxy.onRequest = (apiKey) => {
      if (apiKey === PRODUCE) requests += 1;
    };
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => producer.send(topic.topic, records(i, i + 1))));
    expect(requests).toBeLessThan(20);
    expect(await readAll()).toEqual(values(0, 1_000));
  });

  it('rejects within its deadline while the broker is away or hangs, and works again after', async () => {
    const producer = producerOf(2_000);
    await producer.send(topic.topic, records(0, 1));
    await proxy.goAway();
    const since = Date.now();
    await expect(producer.send(topic.topic, records(1, 2))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await proxy.comeBack();
    proxy.hang();
    await expect(producer.send(topic.topic, records(2, 3))).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(Date.now() - since).toBeLessThan(8_000);
    proxy.wake();
    await producer.send(topic.topic, records(3, 4));
    expect(await topic.size()).toBe(2);
  });

  it('says that a topic is missing', async () => {
    const send = producerOf().send(`${topic.topic}.none`, records(0, 1));
    await expect(send).rejects.toMatchObject({ code: 'UNFIT', message: expect.stringContaining('no such topic') });
  });
});

describe('a member', () => {
  it('waits for a broker that is away at the start, saying once which', async () => {
    await proxy.goAway();
    const { consumer, found } = consumerOf();
    const starting = consumer.start();
    const away = () => lines.filter(({ text }) => text === 'kafka broker is away; trying again');
    await vi.waitFor(() => expect(away()).toMatchObject([{ broker: proxy.brokers[0] }]), SOON);
    await vi.waitFor(() => expect(lines.map(({ text }) => text)).toContain('cannot consume yet; trying again'), SOON);
    await proxy.comeBack();
    await produceDirect([...records(0, 3)]);
    await starting;
    await vi.waitFor(() => expect(found).toEqual(values(0, 3)), SOON);
    expect(away().length).toBe(1);
    expect(lines.filter(({ text }) => text === 'kafka broker is back').length).toBe(1);
  });

  it('goes on by itself, with a new epoch or the old one, when the broker was away', async () => {
    const { consumer, found, failures } = consumerOf();
    await consumer.start();
    await produceDirect(records(0, 3));
    await vi.waitFor(() => expect(found).toEqual(values(0, 3)), SOON);
    await proxy.goAway();
    await vi.waitFor(() => expect(lines.map(({ text }) => text)).toContain('kafka broker is away; trying again'), SOON);
    await produceDirect(records(3, 6));
    await proxy.comeBack();
    await vi.waitFor(() => expect(found).toEqual(values(0, 6)), SOON);
    expect(failures).toEqual([]);
  });

  it('never passes a commit of an epoch that is over to a later one', async () => {
    const { consumer, epochs } = consumerOf();
    await consumer.start();
    await vi.waitFor(() => expect(epochs.length).toBe(1), SOON);
    await consumer.commit(1, [{ topic: topic.topic, partition: 0, offset: 0, metadata: 'first' }]);
    // Its answer is lost, so the client has reason to try again; meanwhile the group rebalances.
    proxy.loseAnswerTo(OFFSET_COMMIT);
    const late = consumer.commit(1, [{ topic: topic.topic, partition: 0, offset: 0, metadata: 'late' }]);
    await expect(late).rejects.toMatchObject({ code: expect.stringMatching('UNREACHABLE|DISOWNED') });
    const second = consumerOf();
    await second.consumer.start();
    await vi.waitFor(() => expect(epochs.length).toBeGreaterThan(1), SOON);
    let commits = 0;
    proxy.onRequest = (apiKey) => {
      if (apiKey === OFFSET_COMMIT) commits += 1;
    };
    const stale = consumer.commit(1, [{ topic: topic.topic, partition: 0, offset: 0, metadata: 'stale' }]);
    await expect(stale).rejects.toMatchObject({ code: 'DISOWNED' });
    expect(commits).toBe(0);
  });

  it('stops within its deadline while a handler hangs, and while the broker is away', async () => {
    let isHandling = false;
    const never = new Promise<void>(() => undefined);
    const first = consumerOf({
      records: () => {
        isHandling = true;
        return never;
      },
    });
    await produceDirect(records(0, 1));
    await first.consumer.start();
    await vi.waitFor(() => expect(isHandling).toBe(true), SOON);
    await proxy.goAway();
    const since = Date.now();
    await first.consumer.stop(500);
    expect(Date.now() - since).toBeLessThan(1_500);
    expect(first.revoked).toEqual(first.epochs);
    await proxy.comeBack();
  });

  it('gives a handler up that is stuck', async () => {
    const { consumer, failures } = consumerOf({ records: () => new Promise(() => undefined) }, 300);
    await produceDirect(records(0, 1));
    await consumer.start();
    await vi.waitFor(() => expect(failures).toMatchObject([{ code: 'TIMEOUT' }]), SOON);
  });

  it('is not in the group when it was stopped while it joined', async () => {
    const first = consumerOf();
    await first.consumer.start();
    await vi.waitFor(() => expect(first.epochs.length).toBe(1), SOON);
    const second = consumerOf();
    const starting = second.consumer.start();
    await second.consumer.stop(1_000);
    await starting;
    await produceDirect([
      ...records(0, 5).map((each) => ({ ...each, partition: 0 })),
      ...records(5, 10).map((each) => ({ ...each, partition: 1 })),
    ]);
    await vi.waitFor(() => expect(first.found.sort((a, b) => Number(a) - Number(b))).toEqual(values(0, 10)), SOON);
    expect(second.found).toEqual([]);
  });

  it('fails for good on what trying again cannot mend', async () => {
    const { consumer, failures } = consumerOf({
      records: async () => {
        throw new TypeError('a fault in the program');
      },
    });
    await produceDirect(records(0, 1));
    await consumer.start();
    await vi.waitFor(() => expect(failures.length).toBe(1), SOON);
    expect(lines.map(({ text }) => text)).toContain('batch failed; it is read again');
  });
});

it('speaks TLS and logs in when it is told to', async () => {
  const first = Promise.withResolvers<number>();
  const server = createServer((socket) => socket.once('data', (data) => first.resolve(data[0] as number)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const brokers = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  const secure = createKafkaAdmin(kafkaConfig.parse({ brokers, ssl: { rejectUnauthorized: false } }), silentLog, 1);
  void secure.topics().catch(() => undefined);
  const TLS_HANDSHAKE = 22;
  expect(await first.promise).toBe(TLS_HANDSHAKE);
  await secure.stop(100);
  server.close();

  const requests: number[] = [];
  proxy.onRequest = (apiKey) => void requests.push(apiKey);
  const sasl = { mechanism: 'scram-sha-256', username: 'u', password: 'secret' } as const;
  const login = createKafkaAdmin({ ...config, sasl }, silentLog, 1);
  // This broker asks for no login and says so.
  const refused = await login.topics().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'UNREACHABLE' });
  expect(String(refused)).not.toContain('secret');
  const SASL_HANDSHAKE = 17;
  expect(requests).toContain(SASL_HANDSHAKE);
  await login.stop(100);
});

describe('an admin', () => {
  it('makes a topic that another makes at the same time', async () => {
    const admins = [1, 2, 3].map(() => createKafkaAdmin(config, log));
    services.push(...admins);
    const wanted = [{ topic: `${topic.topic}.made`, partitions: -1, config: { 'max.message.bytes': '16777216' } }];
    await Promise.all(admins.map((admin) => admin.ensureTopics(wanted)));
    expect(await admins[0]?.topics()).toContain(`${topic.topic}.made`);
    expect(await admins[0]?.clusterId()).toMatch(/\S/);
  });

  it('rejects while the broker is away, and answers again after', async () => {
    const admin: KafkaAdmin = createKafkaAdmin(config, log, 1);
    services.push(admin);
    await admin.topics();
    await proxy.goAway();
    await expect(admin.topics()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await proxy.comeBack();
    expect(await admin.topics()).toContain(topic.topic);
  });
});

/** Past the proxy. */
async function produceDirect(sent: Parameters<RecordProducer['send']>[1]): Promise<void> {
  const producer = createRecordProducer(topic.kafka, silentLog);
  await producer.send(topic.topic, sent);
  await producer.stop(1_000);
}
