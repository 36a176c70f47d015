/**
 * Kafka to Sidekiq queues on which Sluice's own hosts work: a record is finished when its job is, nothing is lost with any
 * process or with Redis, and what Kafka knows to be finished does not run again.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import type { RecordProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const RECORDS = 4_000;
/** Commits are written once a second; what finished later than this before a loss may run again. */
const COMMITTED_WITHIN_MS = 2_000;
const PATIENCE = { timeout: 60_000, interval: 100 };

interface Run {
  readonly number: number;
  readonly offset: string;
  readonly at: number;
}

let redis: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let dir: string;
let env: Record<string, string>;
let bridge: Running;
let work: Running;
let reader: Redis;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-sidekiq-node-'));
});

afterAll(() => rmSync(dir, { recursive: true }));

beforeEach(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(3)]);
  records = createRecordProducer(topic.kafka, silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' } };
  env = {
    ...sluiceEnv(topic, redis, 'sidekiq-workers', topics),
    TEST_RECORD: join(dir, topic.topic),
    TEST_TAKES_MS: '20',
  };
  reader = connect('test', redis, 'command', silentLog);
  bridge = runSluice(['bridge'], { env });
  const jobs = Array.from({ length: RECORDS }, (_, i) => ({
    key: `key-${i}`,
    value: Buffer.from(`{"class":"Noted","args":[${i}]}`),
  }));
  await records.send(topic.topic, jobs);
  await vi.waitFor(async () => expect(await reader.llen('queue:default')).toBe(RECORDS), PATIENCE);
});

afterEach(async () => {
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await records.stop(1_000);
  await disconnect(reader);
  await topic.stop();
  await redis.stop();
});

function runs(): Run[] {
  if (!existsSync(env.TEST_RECORD ?? '')) return [];
  const lines = readFileSync(env.TEST_RECORD ?? '', 'utf8').split('\n');
  return lines.filter(Boolean).map((line) => JSON.parse(line) as Run);
}

async function runHalf(): Promise<void> {
  work = runSluice(['work'], { env });
  await vi.waitFor(() => expect(runs().length).toBeGreaterThan(RECORDS / 2), PATIENCE);
}

async function expectAllDone(): Promise<void> {
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(new Set(runs().map(({ number }) => number)).size).toBe(RECORDS);
}

/** Compares the worker's own record with what was recorded before the loss. */
function expectNoneAgain(before: ReadonlySet<string>, lostAt: number): void {
  expect(runs().filter(({ offset, at }) => at > lostAt && before.has(offset))).toEqual([]);
  const done = runs().filter(({ at }) => at < lostAt - COMMITTED_WITHIN_MS);
  expect(done.filter(({ offset }) => !before.has(offset))).toEqual([]);
}

it('FLUSHALL while half of it is done', { timeout: 120_000 }, async () => {
  await runHalf();
  const before = await topic.finished();
  const lostAt = Date.now();
  await reader.flushall();
  await expectAllDone();
  expectNoneAgain(before, lostAt);
});

it('a snapshot from before anything was done', { timeout: 120_000 }, async () => {
  await reader.save();
  await runHalf();
  const before = await topic.finished();
  const lostAt = Date.now();
  await redis.kill();
  await redis.restart();
  await expectAllDone();
  expectNoneAgain(before, lostAt);
  // What was brought back although it is finished goes when its turn comes.
  await vi.waitFor(async () => expect(await reader.llen('queue:default')).toBe(0), PATIENCE);
  expectNoneAgain(before, lostAt);
});

it('kill -9 of the host under load: what it held runs on another', { timeout: 120_000 }, async () => {
  await runHalf();
  await work.kill('SIGKILL');
  work = runSluice(['work'], { env });
  await expectAllDone();
  const again = runs().length - RECORDS;
  expect(again).toBeLessThanOrEqual(25);
});
