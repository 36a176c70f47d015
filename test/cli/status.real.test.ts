import { randomUUID } from 'node:crypto';
import { totalmem } from 'node:os';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Status } from '../../src/cli/status/shape.ts';
import { systemClock } from '../../src/clock.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { createBeacon } from '../../src/presence/beacons.ts';
import { connect } from '../../src/redis/connection.ts';
import { ledgerKey } from '../../src/redis/keys.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { kafkaBrokers } from '../support/stack.ts';
import { folder, run } from './run.ts';

const id = `e-status-${randomUUID().slice(0, 8)}`;
const kafka = kafkaConfig.parse({ brokers: kafkaBrokers() });
const cwd = folder({
  'sluice.config.mjs': `export default { topics: { '${id}': {} }, queues: { mail: {} }, kafka: { groupId: '${id}' } };`,
});
let redis: TestRedis;

beforeAll(async () => {
  redis = await startRedis({ maxmemory: '64mb' });
  const admin = createKafkaAdmin(kafka, silentLog);
  await admin.ensureTopics([id, `${id}.dlq`].map((topic) => ({ topic, partitions: 2 })));
  await admin.stop(1_000);
  const producer = createRecordProducer(kafka, silentLog);
  const old = Date.now() - 3_600_000;
  const records = [0, 1, 2].map((n) => ({ key: null, value: Buffer.from('x'), partition: n % 2, timestamp: old + n }));
  await producer.send(id, records);
  const letter = (reason: string) => ({ key: null, value: Buffer.from('x'), headers: { 'sluice.reason': reason } });
  await producer.send(`${id}.dlq`, [letter('dead'), letter('tombstone'), letter('dead')]);
  // No letter: what became of one, or what somebody else wrote.
  await producer.send(`${id}.dlq`, records.slice(0, 1));
  await producer.stop(1_000);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('mail', { connection });
  await queue.add('a', {});
  await queue.add('b', {}, { delay: 60_000 });
  await queue.add('c', {}, { priority: 3 });
  await queue.close();
  connection.disconnect();
});
afterAll(() => redis.stop());

function status(args: string[], env: Record<string, string> = {}) {
  return run(['status', ...args], { cwd, env: { KAFKA_BROKERS: kafkaBrokers().join(), REDIS_URL: redis.url, ...env } });
}

async function statusOf(env: Record<string, string> = {}): Promise<Status & { code: unknown }> {
  const { stdout, code } = await status(['--json'], env);
  return { ...(JSON.parse(stdout) as Status), code };
}

test('queues that hold jobs from Kafka are seen while nothing runs that could tell of them', async () => {
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const admin = createKafkaAdmin(kafka, silentLog);
  const ledger = { cluster: await admin.clusterId(), group: id, topic: id, partition: 1 };
  await admin.stop(1_000);
  await connection.zadd(`${ledgerKey(ledger)}:c`, 0, '0:left:behind', 1, '1:mail');
  await connection.lpush('bull:left:behind:wait', 'x', 'y');
  const { queues } = await statusOf();
  expect(queues.map(({ queue, waiting }) => [queue, waiting])).toEqual([
    ['default', 0],
    ['left:behind', 2],
    ['mail', 1],
  ]);
  await connection.del(`${ledgerKey(ledger)}:c`, 'bull:left:behind:wait');
  connection.disconnect();
});

test('lag in records and seconds, dead letters, memory and queues; without a bridge it is unhealthy', async () => {
  const seen = await statusOf();
  expect(seen).toMatchObject({
    code: 5,
    version: 1,
    isHealthy: false,
    verdict: 'No bridge is running: nothing is taken from Kafka',
    unreachable: [],
  });
  const [topic] = seen.topics;
  expect(topic).toMatchObject({
    topic: id,
    exists: true,
    partitions: 2,
    lagRecords: 3,
    deadLetters: 3,
    deadJobs: 2,
    rejectedRecords: 1,
  });
  expect(topic?.lagSeconds).toBeGreaterThanOrEqual(3_590);
  expect(topic?.lagSeconds).toBeLessThan(4_200);
  expect(seen.redis[0]).toMatchObject({ redis: 'main', maxBytes: 64 * 1_048_576, gate: null });
  expect(seen.redis[0]?.systemBytes).toBe(totalmem());
  const mail = seen.queues.find(({ queue }) => queue === 'mail');
  expect(mail).toMatchObject({ waiting: 1, delayed: 1, prioritized: 1, active: 0, failed: 0, isPaused: false });
});

test('counts what has ended from what the group has committed, whatever Redis has forgotten', async () => {
  const groupId = `${id}-counts`;
  const admin = new kafkajs.Kafka({ brokers: kafkaBrokers() }).admin();
  await admin.connect();
  // A commit beyond the end stands for a longer topic, with more records than letters.
  const partitions = [0, 1].map((partition) => ({ partition, offset: partition === 0 ? '7' : '1' }));
  await admin.setOffsets({ groupId, topic: id, partitions });
  await admin.disconnect();
  const env = { SLUICE_KAFKA__GROUP_ID: groupId };
  const [topic] = (await statusOf(env)).topics;
  expect(topic).toMatchObject({ lagRecords: 0, finishedRecords: 8, completedRecords: 5, deadLetters: 3 });
  const { stdout } = await status([], env);
  expect(stdout).toMatch(/^TOPIC +LAG +OLDEST +LATE +NEXT DUE +COMPLETED +DEAD LETTERS$/m);
  expect(stdout).toMatch(new RegExp(`^${id} +0 +0 s +0 +5 +3: 2 dead, 1 rejected$`, 'm'));
});

test('with a bridge it is healthy, and shows its gate; a halted partition is not', async () => {
  const connection = connect('main', redis, 'command', silentLog);
  const gate = {
    redis: 'main',
    isOpen: false,
    cause: 'memory',
    since: Date.now() - 600_000,
    usedBytes: 1,
    closeAtBytes: 9,
    openAtBytes: 8,
  };
  let partitions: object[] = [];
  const beacon = createBeacon(
    connection,
    { group: id, role: 'bridge', id: 'b', detail: () => ({ gates: [gate], partitions, queues: ['other'] }) },
    systemClock,
  );
  await beacon.start();
  await vi.waitFor(async () => expect((await statusOf()).roles).toHaveLength(1), { timeout: 10_000 });
  const seen = await statusOf();
  expect(seen).toMatchObject({ code: 0, isHealthy: true });
  expect(seen.verdict).toContain('Falling behind: the gate of Redis main has been closed for 10 min');
  expect(seen.redis[0]?.gate).toEqual(gate);
  expect(seen.queues.map(({ queue }) => queue)).toEqual(['default', 'mail', 'other']);
  const table = await status([]);
  expect(table.stdout).toMatch(/^main +closed: memory +10 min/m);
  expect(table.stdout).toMatch(new RegExp(`^${id} +3 +`, 'm'));
  partitions = [{ topic: id, partition: 1, state: 'halted', haltReason: 'made anew' }];
  await vi.waitFor(async () => expect((await statusOf()).code).toBe(5), { timeout: 15_000 });
  await beacon.stop(1_000);
  connection.disconnect();
});

test('Redis away: exit 4 within the deadline, the rest is still told', async () => {
  const began = Date.now();
  const { stdout, stderr, code } = await status(['--json'], { REDIS_URL: 'redis://127.0.0.1:1' });
  const seen = JSON.parse(stdout) as Status;
  expect(code).toBe(4);
  expect(stderr).toBe('the address of Redis main is from REDIS_URL\n');
  expect(seen.unreachable).toEqual([expect.stringContaining('ECONNREFUSED')]);
  expect(seen.topics[0]?.lagRecords).toBe(3);
  expect(Date.now() - began).toBeLessThan(10_000);
});

test('a Redis that hangs: exit 4 within the deadline', async () => {
  redis.pause();
  const began = Date.now();
  const seen = await statusOf().finally(() => redis.resume());
  expect(seen.code).toBe(4);
  expect(seen.unreachable.join()).toContain('Redis main');
  expect(Date.now() - began).toBeLessThan(15_000);
});

test('Kafka away: exit 4 within the deadline, the rest is still told', async () => {
  const began = Date.now();
  const seen = await statusOf({ KAFKA_BROKERS: '127.0.0.1:1' });
  expect(seen.code).toBe(4);
  expect(seen.unreachable).toEqual([expect.stringContaining('Kafka at 127.0.0.1:1')]);
  expect(seen.queues.find(({ queue }) => queue === 'mail')?.waiting).toBe(1);
  expect(Date.now() - began).toBeLessThan(10_000);
});
