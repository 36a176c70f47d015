/**
 * Jobs that are due later wait in Kafka, in delay topics with short waits here. What happened is read from outside: from
 * what the worker wrote down, and from BullMQ's event stream.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { readState } from '../../src/bridge/delay-state.ts';
import { topicStatus } from '../../src/cli/status/kafka.ts';
import type { TopicStatus } from '../../src/cli/status/shape.ts';
import { createRandom } from '../../src/faults/random.ts';
import { delayStateTopic, delayTopic } from '../../src/job/late.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import type { KafkaAdmin, RecordReader } from '../../src/kafka/consumer.ts';
import { createLetterCounter } from '../../src/kafka/letters/count.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runScript, runSluice } from '../support/sluice.ts';

const SEED = 1;
/** Of a queue that is not configured. */
const CONCURRENCY = 50;
const PATIENCE = { timeout: 60_000, interval: 100 };

interface Run {
  readonly url: string;
  readonly partition: number;
  readonly offset: string;
  readonly eventId: string;
  readonly at: number;
}

let redis: TestRedis;
let client: Redis;
let logs: RecordReader;
let admin: KafkaAdmin;
let topic: TestTopic;
let dir: string;
let env: Record<string, string>;
let bridge: Running;
let work: Running;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-late-'));
});

afterAll(() => rmSync(dir, { recursive: true }));

beforeEach(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(2)]);
  env = { ...sluiceEnv(topic, redis, 'workers'), TEST_RECORD: join(dir, topic.topic) };
  logs = createRecordReader(topic.kafka, silentLog);
  admin = createKafkaAdmin(topic.kafka, silentLog);
  client = connect('test', redis, 'command', silentLog);
  bridge = startBridge();
  work = runSluice(['work'], { env });
});

afterEach(async () => {
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await disconnect(client);
  await Promise.all([topic.stop(), logs.stop(1_000), admin.stop(1_000)]);
  await redis.stop();
});

function startBridge(): Running {
  return runScript(`${ROOT}test/flow/fixtures/short-waits.ts`, { env });
}

function runs(): Run[] {
  try {
    const lines = readFileSync(env.TEST_RECORD ?? '', 'utf8').trim();
    return lines === '' ? [] : lines.split('\n').map((line) => JSON.parse(line) as Run);
  } catch {
    return [];
  }
}

async function statusOfTopic(): Promise<TopicStatus> {
  const counter = createLetterCounter({ reader: logs, admin });
  const [status] = await topicStatus({ admin, reader: logs }, topic.groupId, [topic.topic], counter, Date.now());
  return status as TopicStatus;
}

/** Late records that were taken out of the topic. */
async function taken(): Promise<number> {
  const name = delayStateTopic(topic.topic, topic.groupId);
  const states = [...(await admin.bounds([name]))].map(([key, bounds]) =>
    readState({ topic: name, partition: Number(key.slice(name.length + 1)) }, bounds, logs),
  );
  return (await Promise.all(states)).reduce((sum, state) => sum + (state?.taken ?? 0), 0);
}

/** Late ones with due times up to `seconds` ahead, each third one due at once. */
function mixed(count: number, start: number, seconds: number, random: () => number) {
  const now = Date.now();
  return views(count, start).map((view, i) =>
    i % 3 === 0 ? view : { ...view, runAt: new Date(now + 600 + Math.floor(random() * seconds * 1_000)) },
  );
}

/** All of them ran, once each, as what they first were, and not too early. */
function expectOnce(dueAt: ReadonlyMap<string, number>): void {
  const seen = runs();
  expect(new Set(seen.map(({ url }) => url)).size).toBe(dueAt.size);
  expect(seen.length).toBe(dueAt.size);
  expect(new Set(seen.map(({ eventId }) => eventId)).size).toBe(dueAt.size);
  expect(new Set(seen.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(dueAt.size);
  for (const { url, at } of seen) expect(at).toBeGreaterThanOrEqual((dueAt.get(url) ?? 0) - 5);
}

it('keeps late records in Kafka, and runs each in time as what it first was', { timeout: 90_000 }, async () => {
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  const events = mixed(300, 0, 9, createRandom(SEED));
  await topic.producer.sendMany(events);
  const dueAt = new Map(events.map((each) => [each.message.url, 'runAt' in each ? Number(each.runAt) : 0]));
  await vi.waitFor(async () => expect((await statusOfTopic()).lateRecords).toBeGreaterThan(0), PATIENCE);
  const due = Date.parse((await statusOfTopic()).nextDueAt ?? '');
  expect([...dueAt.values()]).toContain(due);
  await vi.waitFor(() => expect(runs().length).toBe(300), PATIENCE);
  expectOnce(dueAt);
  const lateness = runs().map(({ url, at }) => at - (dueAt.get(url) || at));
  expect(Math.max(...lateness)).toBeLessThan(4_000);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(await statusOfTopic()).toMatchObject({
    lateRecords: 0,
    nextDueAt: null,
    lagRecords: 0,
    completedRecords: 300,
  });
  expect(await topic.size(delayTopic(topic.topic, topic.groupId, 'three'))).toBeGreaterThan(0);
  expect(await topic.size(delayStateTopic(topic.topic, topic.groupId))).toBeGreaterThan(0);
});

it('loses and doubles nothing through kills of the bridge', { timeout: 180_000 }, async () => {
  const random = createRandom(SEED);
  const dueAt = new Map<string, number>();
  for (let round = 0; round < 8; round++) {
    await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
    const events = mixed(150, round * 150, 9, random);
    for (const each of events) dueAt.set(each.message.url, 'runAt' in each ? Number(each.runAt) : 0);
    const producing = topic.producer.sendMany(events);
    await new Promise((resolve) => setTimeout(resolve, random() * 2_500));
    await bridge.kill('SIGKILL');
    await producing;
    bridge = startBridge();
  }
  await vi.waitFor(() => expect(runs().length).toBe(dueAt.size), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expectOnce(dueAt);
});

it('moves nothing twice when a bridge hangs, and goes on beside its heir', { timeout: 120_000 }, async () => {
  const random = createRandom(SEED);
  const dueAt = new Map<string, number>();
  const produce = async (count: number) => {
    const events = mixed(count, dueAt.size, 9, random);
    for (const each of events) dueAt.set(each.message.url, 'runAt' in each ? Number(each.runAt) : 0);
    await topic.producer.sendMany(events);
  };
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  for (let round = 0; round < 2; round++) {
    await produce(150);
    await new Promise((resolve) => setTimeout(resolve, 500 + random() * 1_500));
    const hung = bridge;
    hung.child.kill('SIGSTOP');
    bridge = startBridge();
    await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
    await produce(60);
    await new Promise((resolve) => setTimeout(resolve, random() * 1_500));
    hung.child.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 1_000 + random() * 1_500));
    await hung.kill('SIGKILL');
  }
  await vi.waitFor(() => expect(runs().length).toBeGreaterThanOrEqual(dueAt.size), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expectOnce(dueAt);
});

it('takes no record twice when it dies between Kafka and Redis', { timeout: 90_000 }, async () => {
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  await topic.producer.sendMany(mixed(30, 0, 1, createRandom(SEED)));
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  const takenBefore = await taken();
  expect(takenBefore).toBeGreaterThan(10);
  // The ledger's script waits, and the readings of the gate do not.
  await client.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  const events = views(30, 30).map((view) => ({ ...view, runAt: new Date(Date.now() + 3_000) }));
  await topic.producer.sendMany(events);
  await vi.waitFor(async () => expect(await taken()).toBe(takenBefore + 30), PATIENCE);
  await bridge.kill('SIGKILL');
  bridge = startBridge();
  await client.call('CLIENT', 'UNPAUSE');
  await vi.waitFor(() => expect(runs().length).toBe(60), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(await taken()).toBe(takenBefore + 30);
  expect(new Set(runs().map(({ url }) => url)).size).toBe(60);
});

it('loses no waiting job with Redis', { timeout: 90_000 }, async () => {
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  const events = mixed(200, 0, 8, createRandom(SEED));
  await topic.producer.sendMany(events);
  const dueAt = new Map(events.map((each) => [each.message.url, 'runAt' in each ? Number(each.runAt) : 0]));
  await vi.waitFor(() => expect(runs().length).toBeGreaterThan(80), PATIENCE);
  await client.flushall();
  const before = runs().length;
  await vi.waitFor(() => expect(new Set(runs().map(({ url }) => url)).size).toBe(200), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  // What had finished within the second before may run again, and what was running (P4); nothing late is doubled by its
  // wait.
  const urls = runs().map(({ url }) => url);
  expect(urls.length - new Set(urls).size).toBeLessThanOrEqual(before + CONCURRENCY);
  for (const { url, at } of runs()) expect(at).toBeGreaterThanOrEqual((dueAt.get(url) ?? 0) - 5);
});
