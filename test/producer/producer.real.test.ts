/** One call by Kafka and by Redis: the same event arrives, and what is away is told in bounded time. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Job, Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { createGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createProducer, type Producer, type ProducerSettings } from '../../src/producer.ts';
import { decodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';

const TYPE = 'acme.web.v1.PageView';
const MESSAGE = { url: 'https://x/1', bytes: 9_007_199_254_740_993n, occurredAt: '2026-01-31T12:00:00.123456Z' };
const JSON_FORM = { url: 'https://x/1', bytes: '9007199254740993', occurredAt: '2026-01-31T12:00:00.123456Z' };

let redis: TestRedis;
let topic: TestTopic;
let workers: string;
let connection: Redis;
const producers: Producer[] = [];
const queues: Queue[] = [];

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(3)]);
  connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  connection.on('error', () => undefined);
  workers = mkdtempSync(join(tmpdir(), 'sluice-producer-'));
  const options = `{ queue: 'of-worker', attempts: 3, backoff: { baseMs: 70, maxMs: 900 }, run() {} }`;
  const worker = `import { defineWorker } from '${ROOT}src/index.ts';\nexport default defineWorker('${TYPE}', ${options});\n`;
  writeFileSync(join(workers, 'view.ts'), worker);
});

afterEach(async () => {
  await Promise.all(producers.splice(0).map((each) => each.close()));
  vi.unstubAllEnvs();
});

afterAll(async () => {
  await Promise.all(queues.map((queue) => queue.close()));
  connection.disconnect();
  await topic.stop();
  await redis.stop();
  rmSync(workers, { recursive: true });
});

function producer(settings: ProducerSettings): Producer {
  const redisOf = { url: redis.url, ...settings.redis };
  const { kafka, topic: name } = topic;
  const made = createProducer({
    proto: [`${ROOT}proto`],
    topic: name,
    workers: '/none',
    kafka,
    ...settings,
    redis: redisOf,
  });
  producers.push(made);
  return made;
}

function queueOf(name: string): Queue {
  const queue = new Queue(name, { connection, skipMetasUpdate: true });
  queues.push(queue);
  return queue;
}

async function onlyJob(name: string): Promise<Job> {
  const jobs = await queueOf(name).getJobs(['waiting', 'delayed', 'prioritized']);
  expect(jobs.length).toBe(1);
  return jobs[0] as Job;
}

async function recordsOf({ topic: name, groupId, kafka }: TestTopic, count: number): Promise<KafkaRecord[]> {
  const found: KafkaRecord[] = [];
  const consumer = createGroupConsumer({
    config: { ...kafka, groupId: `${groupId}-${count}` },
    topics: [name],
    log: silentLog,
    handlers: {
      assigned: ({ partitions }) => {
        for (const each of partitions) consumer.seek(each, 0);
        consumer.resume(partitions);
      },
      revoked: () => undefined,
      records: async ({ records }, control) => {
        found.push(...records);
        control.resolve(records.at(-1)?.offset as number);
      },
      outOfRange: () => undefined,
      failed: () => undefined,
    },
  });
  await consumer.start();
  await vi.waitFor(() => expect(found.length).toBe(count), { timeout: 15_000, interval: 50 });
  await consumer.stop(2_000);
  return found;
}

it('sends the same event either way', async () => {
  const runAt = Date.now() + 60_000;
  const options = {
    key: 'user-1',
    id: 'event-1',
    headers: { trace: 'ü' },
    attempts: 4,
    priority: 9,
    queue: 'same',
    runAt,
  };
  await producer({ via: 'kafka' }).send(TYPE, MESSAGE, options);
  await producer({ via: 'redis' }).send(TYPE, MESSAGE, options);

  const [record] = await recordsOf(topic, 1);
  const { createdAt, payload, ...envelope } = decodeEnvelope(record?.value as Buffer);
  expect(String(record?.key)).toBe('user-1');
  expect(envelope).toEqual({ ...options, type: TYPE });
  expect(Math.abs(Date.now() - (createdAt as number))).toBeLessThan(60_000);
  const { json } = loadSchemas([`${ROOT}proto`])
    .codec(TYPE)
    .decodeToJson(payload);
  expect(JSON.parse(json)).toEqual(JSON_FORM);

  const job = await onlyJob('same');
  expect(job.name).toBe(TYPE);
  expect(job.data).toEqual(JSON_FORM);
  expect(job.opts).toMatchObject({ attempts: 4, priority: 9, removeOnComplete: true, removeOnFail: false });
  expect((job.opts as { sl?: object }).sl).toEqual({ key: 'user-1', id: 'event-1', headers: { trace: 'ü' } });
  expect(Math.abs(job.timestamp + job.delay - runAt)).toBeLessThan(5);
});

it('asks the worker for queue, attempts and backoff by Redis; without a worker the defaults hold', async () => {
  await producer({ via: 'redis', workers }).send(TYPE, MESSAGE);
  const job = await onlyJob('of-worker');
  expect(job.opts).toMatchObject({ attempts: 3, backoff: { type: 'exponential', delay: 70 } });
  expect((job.opts as { sl?: { id?: string } }).sl?.id).toMatch(/^[0-9a-f-]{36}$/);

  await producer({ via: 'redis' }).send(TYPE, MESSAGE);
  expect((await onlyJob('default')).opts).toMatchObject({ attempts: 10, backoff: { delay: 1_000 } });
});

it('keeps the history that others gave to their queue', async () => {
  const owned = new Queue('owned', { connection, streams: { events: { maxLen: 77 } } });
  queues.push(owned);
  await owned.waitUntilReady();
  await vi.waitFor(async () => expect(await connection.hget('bull:owned:meta', 'opts.maxLenEvents')).toBe('77'));
  await producer({ via: 'redis' }).send(TYPE, MESSAGE, { queue: 'owned' });
  expect(await connection.hget('bull:owned:meta', 'opts.maxLenEvents')).toBe('77');
});

it('keeps events of one key in order, in one partition, however they are sent', async () => {
  const own = await makeTopic(3);
  const sending = producer({ via: 'kafka', topic: own.topic });
  const events = Array.from({ length: 3_000 }, (_, i) => ({
    type: TYPE,
    message: { url: String(i) },
    key: `k${i % 7}`,
  }));
  await sending.sendMany(events.slice(0, 2_900));
  await Promise.all(events.slice(2_900).map(({ type, message, key }) => sending.send(type, message, { key })));
  const codec = loadSchemas([`${ROOT}proto`]).codec(TYPE);
  const byKey = new Map<string, number[]>();
  for (const { key, value } of await recordsOf(own, 3_000)) {
    const { url } = JSON.parse(codec.decodeToJson(decodeEnvelope(value as Buffer).payload).json) as { url: string };
    byKey.set(String(key), [...(byKey.get(String(key)) ?? []), Number(url)]);
  }
  expect(byKey.size).toBe(7);
  for (const urls of byKey.values()) expect(urls).toEqual(urls.toSorted((a, b) => a - b));
  await own.stop();
});

it('is turned by the environment, without a change of code', async () => {
  vi.stubEnv('KAFKA_BROKERS', ` ${topic.kafka.brokers.join(' , ')}`);
  vi.stubEnv('REDIS_URL', redis.url);
  const send = async () => {
    const made = createProducer({ proto: [`${ROOT}proto`], topic: topic.topic, workers: '/none' });
    producers.push(made);
    await made.send(TYPE, MESSAGE, { queue: 'turned' });
  };
  const size = await topic.size();
  vi.stubEnv('SLUICE_VIA', 'kafka');
  await send();
  expect(await topic.size()).toBe(size + 1);
  vi.stubEnv('SLUICE_VIA', 'redis');
  await send();
  expect(await topic.size()).toBe(size + 1);
  expect((await onlyJob('turned')).data).toEqual(JSON_FORM);
});

it('rejects in bounded time while Redis is away or hangs, and works again after', async () => {
  const own = await startRedis();
  const sending = producer({ via: 'redis', redis: { url: own.url } });
  const send = () => sending.send(TYPE, MESSAGE, { queue: 'bounded' });
  await send();
  const since = Date.now();
  own.pause();
  await expect(send()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  own.resume();
  await own.kill();
  await expect(send()).rejects.toMatchObject({ code: 'UNREACHABLE', isUnsent: false });
  expect(Date.now() - since).toBeLessThan(10_000);
  await own.restart();
  await vi.waitFor(send, { timeout: 10_000, interval: 200 });
  await own.stop();
});

it('rejects in bounded time while Kafka is away', async () => {
  const since = Date.now();
  const away = producer({ via: 'kafka', kafka: { brokers: ['127.0.0.1:1'] } });
  const refusal = { code: 'UNREACHABLE', message: /127\.0\.0\.1:1/, isUnsent: true };
  await expect(away.send(TYPE, MESSAGE)).rejects.toMatchObject(refusal);
  expect(Date.now() - since).toBeLessThan(15_000);
});

it('loads the client of its own way alone, when it sends', () => {
  const script = `
    import { registerHooks } from 'node:module';
    const seen = new Set();
    registerHooks({ load(url, context, next) {
      seen.add(/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]);
      return next(url, context);
    } });
    const { createProducer } = await import('${ROOT}src/producer.ts');
    const atImport = [...seen];
    const producer = createProducer({ proto: ['${ROOT}proto'], workers: '/none', redis: { url: 'redis://127.0.0.1:1' } });
    await producer.send('${TYPE}', {}).catch(() => undefined);
    await producer.close();
    console.log(JSON.stringify([atImport, [...seen]]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    env: { ...process.env, SLUICE_VIA: 'redis' },
  });
  expect(stderr).toBe('');
  const [atImport, inAll] = JSON.parse(stdout) as [string[], string[]];
  for (const none of ['kafkajs', 'bullmq', 'ioredis', 'fastify', '@bull-board/api'])
    expect(atImport).not.toContain(none);
  expect(inAll).toContain('bullmq');
  expect(inAll).not.toContain('kafkajs');
});
