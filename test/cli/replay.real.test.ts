/** `sluice replay` after a Redis was lost whose jobs counted as finished: under a running bridge, and without one. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RecordProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const JOBS = 60;
const PATIENCE = { timeout: 40_000, interval: 200 };

let server: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let redis: Redis;
let env: Record<string, string>;
let bridge: Running;

beforeAll(async () => {
  [server, topic] = await Promise.all([startRedis(), makeTopic(2)]);
  records = createRecordProducer(topic.kafka, silentLog);
  redis = connect('test', server, 'command', silentLog);
  env = sluiceEnv(topic, server, 'idle-workers', { [topic.topic]: { target: 'sidekiq', record: 'sidekiq' } });
  bridge = runSluice(['bridge'], { env });
  const jobs = Array.from({ length: JOBS }, (_, i) => ({
    key: `key-${i}`,
    // Every other one has a jid of its own.
    value: Buffer.from(`{"class":"Note","args":[${i}]${i % 2 ? `,"jid":"${String(i).padStart(24, '0')}"` : ''}}`),
  }));
  await records.send(topic.topic, jobs);
});

afterAll(async () => {
  await bridge.kill('SIGTERM');
  await records.stop(1_000);
  await disconnect(redis);
  await topic.stop();
  await server.stop();
});

async function jids(): Promise<string[]> {
  const jobs = await redis.lrange('queue:default', 0, -1);
  return jobs.map((job) => (JSON.parse(job) as { jid: string }).jid).sort();
}

const enqueued = () => vi.waitFor(async () => expect((await jids()).length).toBe(JOBS), PATIENCE);
const committed = () => vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);

it('counts a record as finished once its job is in Redis, and replays it when asked', async () => {
  await enqueued();
  await committed();
  const before = await jids();
  await redis.flushall();
  const early = await runSluice(['replay', '--since', '10m', '--dry-run'], { env }).ended;
  expect(early).toBe(0);
  expect(await jids()).toEqual([]);

  const replay = runSluice(['replay', '--since', '10m', '--yes'], { env });
  expect(await replay.ended, replay.stderr()).toBe(0);
  expect(replay.stdout()).toMatch(/\d+ records become jobs, also those that did so before/);
  await enqueued();
  expect(new Set(before).size).toBe(JOBS);
  expect(await jids()).toEqual(before);
  await committed();
});

it('replays without a running bridge, by the look-back of the configuration', async () => {
  await bridge.kill('SIGTERM');
  await redis.flushall();
  const replay = runSluice(['replay', '--yes'], { env });
  expect(await replay.ended, replay.stderr()).toBe(0);
  bridge = runSluice(['bridge'], { env });
  await enqueued();
  await committed();
  const late = runSluice(['replay', '--since', '0s', '--yes'], { env });
  expect(await late.ended).toBe(0);
  expect(late.stdout()).toContain('nothing has been enqueued since then');
  expect((await jids()).length).toBe(JOBS);
});

it('refuses topics whose losses come back by themselves', async () => {
  const others = { ...env, SLUICE_TOPICS: JSON.stringify({ [topic.topic]: {} }) };
  const replay = runSluice(['replay', '--topic', topic.topic, '--yes'], { env: others });
  expect(await replay.ended).toBe(2);
  expect(replay.stderr()).toContain('no topic here is such a one');
});
