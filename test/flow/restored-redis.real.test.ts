/**
 * Redis put back to an older state, in three ways: emptied, restored from a snapshot, and replaced by a replica that
 * had fallen behind. Nothing is lost, and what Kafka knows to be finished does not run again on Sluice's own hosts.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { readLosses } from '../../src/presence/losses.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const RECORDS = 6_000;
const FLUSHED_RECORDS = 100_000;
/** Commits are written once a second; what finished later than this before a loss may run again. */
const COMMIT_INTERVAL_MS = 1_000;
const PATIENCE = { timeout: 90_000, interval: 100 };

interface Run {
  readonly offset: string;
  readonly at: number;
}

let redis: TestRedis;
let topic: TestTopic;
let dir: string;
let env: Record<string, string>;
let bridge: Running;
let work: Running;
let reader: Redis;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-restored-'));
});

afterAll(() => rmSync(dir, { recursive: true }));

beforeEach(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(3)]);
  env = { ...sluiceEnv(topic, redis, 'slow-workers'), TEST_RECORD: join(dir, topic.topic), TEST_TAKES_MS: '40' };
  reader = connect('test', redis, 'command', silentLog);
});

afterEach(async () => {
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await disconnect(reader);
  await topic.stop();
  await redis.stop();
});

function runs(): Run[] {
  const lines = readFileSync(env.TEST_RECORD ?? '', 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Run);
}

async function enqueue(count: number): Promise<void> {
  bridge = runSluice(['bridge'], { env });
  await topic.producer.sendMany(views(count));
  await vi.waitFor(async () => expect(await reader.llen('bull:slow:wait')).toBe(count), PATIENCE);
}

async function runUntil(least: number): Promise<void> {
  work = runSluice(['work'], { env });
  await vi.waitFor(() => expect(runs().length).toBeGreaterThan(least), PATIENCE);
}

/** Waits for the end, then compares the worker's own record with what was recorded before the loss. */
async function expectNothingRecordedToRunAgain(before: ReadonlySet<string>, lostAt: number, count: number) {
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  const all = runs();
  const again = all.filter(({ offset, at }) => at > lostAt && before.has(offset));
  expect(again).toEqual([]);
  expect(new Set(all.map(({ offset }) => offset)).size).toBe(count);
  const done = all.filter(({ at }) => at < lostAt - COMMIT_INTERVAL_MS - 1_000).map(({ offset }) => offset);
  expect(done.filter((offset) => !before.has(offset))).toEqual([]);
  return { reruns: all.length - count };
}

it('FLUSHALL with 100,000 jobs waiting and 50 running', { timeout: 240_000 }, async () => {
  env = { ...env, TEST_TAKES_MS: '5' };
  await enqueue(FLUSHED_RECORDS);
  await runUntil(3_000);
  await vi.waitFor(async () => expect((await topic.finished()).size).toBeGreaterThan(0), PATIENCE);
  const before = await topic.finished();
  const lostAt = Date.now();
  await reader.flushall();
  const { reruns } = await expectNothingRecordedToRunAgain(before, lostAt, FLUSHED_RECORDS);
  // What ran in the last commit interval, and what was running.
  console.info(`run again after FLUSHALL: ${reruns} of ${FLUSHED_RECORDS}`);
  expect(reruns).toBeLessThan(10_000);
  const losses = await readLosses(reader, topic.groupId);
  expect(losses.map(({ partition, kind }) => `${partition} ${kind}`).sort()).toEqual([
    '0 emptied',
    '1 emptied',
    '2 emptied',
  ]);
  const again = losses.reduce((sum, { enqueuedAgain }) => sum + enqueuedAgain, 0);
  expect(again).toBeGreaterThan(FLUSHED_RECORDS - before.size - 10_000);
  expect(again).toBeLessThanOrEqual(FLUSHED_RECORDS - before.size);
  expect(Math.max(...losses.map(({ at }) => at))).toBeLessThan(lostAt + 2_000);
});

it('a snapshot from before half of the jobs were done', { timeout: 120_000 }, async () => {
  await enqueue(RECORDS);
  await reader.save();
  await runUntil(RECORDS / 2);
  const before = await topic.finished();
  const lostAt = Date.now();
  await redis.kill();
  await redis.restart();
  await expectNothingRecordedToRunAgain(before, lostAt, RECORDS);
  expect(bridge.stderr()).toContain('redis brought finished jobs back');
});

it('a replica that takes over without the last jobs and without knowing what was done', {
  timeout: 120_000,
}, async () => {
  const replica = await startRedis({ extra: ['--replicaof', '127.0.0.1', String(redis.port)] });
  const onReplica = connect('replica', replica, 'command', silentLog);
  await enqueue(RECORDS / 2);
  await vi.waitFor(async () => expect(await onReplica.llen('bull:slow:wait')).toBe(RECORDS / 2), PATIENCE);
  await onReplica.replicaof('NO', 'ONE');
  await topic.producer.sendMany(views(RECORDS / 2, RECORDS / 2));
  await runUntil(RECORDS / 3);
  const before = await topic.finished();
  const lostAt = Date.now();
  await redis.kill();
  await onReplica.config('SET', 'port', String(redis.port));
  await expectNothingRecordedToRunAgain(before, lostAt, RECORDS);
  await disconnect(onReplica);
  await replica.stop();
});

it('everything killed at once, and Redis started empty', { timeout: 120_000 }, async () => {
  await enqueue(RECORDS);
  await runUntil(RECORDS / 3);
  const before = await topic.finished();
  const lostAt = Date.now();
  await Promise.all([bridge.kill('SIGKILL'), work.kill('SIGKILL'), redis.kill()]);
  await redis.restart();
  bridge = runSluice(['bridge'], { env });
  work = runSluice(['work'], { env });
  await expectNothingRecordedToRunAgain(before, lostAt, RECORDS);
});
