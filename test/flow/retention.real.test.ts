/** Kafka deletes records that were not taken yet: the partition halts and says so, instead of going on behind the gap. */
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runSluice } from '../support/sluice.ts';

const SOON = { timeout: 40_000, interval: 100 };

let redis: TestRedis;
let topic: TestTopic;

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(1)]);
});

afterAll(async () => {
  await topic.stop();
  await redis.stop();
});

async function deleteBelow(offset: number): Promise<void> {
  const client = new kafkajs.Kafka({ brokers: topic.kafka.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await client.connect();
  await client.fetchTopicOffsets(topic.topic);
  await client.deleteTopicRecords({ topic: topic.topic, partitions: [{ partition: 0, offset: String(offset) }] });
  await client.disconnect();
}

it('halts the partition, and again after a restart', async () => {
  const env = sluiceEnv(topic, redis, 'idle-workers');
  const first = runSluice(['bridge'], { env });
  await topic.producer.sendMany(views(3));
  await vi.waitFor(async () => expect((await topic.committed()).size).toBe(1), SOON);
  // Redis hangs, so the gate closes and the next records stay in Kafka.
  redis.pause();
  await vi.waitFor(() => expect(first.stderr()).toContain('gate closed'), SOON);
  await topic.producer.sendMany(views(10, 3));
  await deleteBelow(8);
  redis.resume();
  const halted = /partition halted; an operator has to decide/;
  await vi.waitFor(() => expect(first.stderr()).toMatch(halted), SOON);
  expect(first.stderr()).toMatch(/offset \d+, is not in the log|outside the log/);
  const committed = (await topic.committed()).get(`${topic.topic}/0`);
  expect(committed?.offset).toBe(0);
  expect(committed?.metadata).not.toBe('');
  expect(await first.kill('SIGTERM')).toBe(0);

  const second = runSluice(['bridge'], { env });
  await vi.waitFor(() => expect(second.stderr()).toMatch(halted), SOON);
  expect(second.stderr()).toContain('outside the log [8, 13)');
  expect((await topic.committed()).get(`${topic.topic}/0`)).toEqual(committed);
  expect(await second.kill('SIGTERM')).toBe(0);
});
