/** Redis emptied, away, and hanging in mid-run: nothing is lost, and the bridge goes on by itself. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const RECORDS = 5_000;

let redis: TestRedis;
let topic: TestTopic;
let bridge: Running;
let env: ReturnType<typeof sluiceEnv>;

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(() => redis.stop());

beforeEach(async () => {
  topic = await makeTopic(3);
  env = sluiceEnv(topic, redis, 'idle-workers');
  bridge = runSluice(['bridge'], { env });
});

afterEach(async () => {
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await topic.stop();
});

async function waiting(): Promise<number> {
  const reader = connect('test', redis, 'command', silentLog);
  try {
    return await reader.llen('bull:counted:wait');
  } finally {
    await disconnect(reader);
  }
}

async function drain(): Promise<void> {
  const work = runSluice(['work'], { env });
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), { timeout: 40_000, interval: 200 });
  expect(await work.kill('SIGTERM')).toBe(0);
}

it('enqueues again what a FLUSHALL took', async () => {
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS), { timeout: 30_000, interval: 100 });
  const admin = connect('test', redis, 'command', silentLog);
  await admin.flushall();
  await disconnect(admin);
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS), { timeout: 20_000, interval: 100 });
  expect(bridge.stderr()).toContain('claim lost');
  await drain();
});

it('enqueues again what a killed Redis held, once it is back', async () => {
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS), { timeout: 30_000, interval: 100 });
  await redis.kill();
  await vi.waitFor(() => expect(bridge.stderr()).toContain('gate closed'), 20_000);
  await topic.producer.sendMany(views(1_000, RECORDS));
  await redis.restart();
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS + 1_000), { timeout: 30_000, interval: 100 });
  await drain();
});

it('waits for a Redis that hangs, and doubles nothing', async () => {
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS), { timeout: 30_000, interval: 100 });
  redis.pause();
  await topic.producer.sendMany(views(1_000, RECORDS));
  await vi.waitFor(() => expect(bridge.stderr()).toContain('gate closed'), 20_000);
  redis.resume();
  await vi.waitFor(async () => expect(await waiting()).toBe(RECORDS + 1_000), { timeout: 30_000, interval: 100 });
  const reader = connect('test', redis, 'command', silentLog);
  expect((await reader.keys('bull:counted:k~*')).length).toBe(RECORDS + 1_000);
  await disconnect(reader);
  await drain();
});
