/**
 * Jobs that are due later wait in Kafka, in delay topics with short waits here. What happened is read from outside: from
 * what the worker wrote down, and from BullMQ's event stream.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { delayStateTopic, delayTopic } from '../../src/job/late.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runScript, runSluice } from '../support/sluice.ts';

const SEED = 1;
const PATIENCE = { timeout: 60_000, interval: 100 };

interface Run {
  readonly url: string;
  readonly partition: number;
  readonly offset: string;
  readonly eventId: string;
  readonly at: number;
}

let redis: TestRedis;
let reader: Redis;
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
  reader = connect('test', redis, 'command', silentLog);
  bridge = startBridge();
  work = runSluice(['work'], { env });
});

afterEach(async () => {
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await disconnect(reader);
  await topic.stop();
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
  await vi.waitFor(() => expect(runs().length).toBe(300), PATIENCE);
  expectOnce(dueAt);
  const lateness = runs().map(({ url, at }) => at - (dueAt.get(url) || at));
  expect(Math.max(...lateness)).toBeLessThan(4_000);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(await topic.size(delayTopic(topic.topic, topic.groupId, 'three'))).toBeGreaterThan(0);
  expect(await topic.size(delayStateTopic(topic.topic, topic.groupId))).toBeGreaterThan(0);
});

it('loses and doubles nothing through kills of the bridge and of Redis', { timeout: 180_000 }, async () => {
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

it('loses no waiting job with Redis', { timeout: 90_000 }, async () => {
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  const events = mixed(200, 0, 8, createRandom(SEED));
  await topic.producer.sendMany(events);
  const dueAt = new Map(events.map((each) => [each.message.url, 'runAt' in each ? Number(each.runAt) : 0]));
  await vi.waitFor(() => expect(runs().length).toBeGreaterThan(80), PATIENCE);
  await reader.flushall();
  await vi.waitFor(() => expect(new Set(runs().map(({ url }) => url)).size).toBe(200), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  // What had finished within the second before may run again (P4); nothing late is doubled by its wait.
  const urls = runs().map(({ url }) => url);
  expect(urls.length - new Set(urls).size).toBeLessThan(80);
  for (const { url, at } of runs()) expect(at).toBeGreaterThanOrEqual((dueAt.get(url) ?? 0) - 5);
});
