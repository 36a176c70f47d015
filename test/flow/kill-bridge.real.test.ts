/**
 * kill -9 of the bridge, again and again, at random moments under load. What happened is read from outside: the ends
 * of the topic, BullMQ's event stream, and what the worker wrote down.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { watchQueue } from '../../demo/queue-watch.ts';
import { createRandom } from '../../src/faults/random.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

const KILLS = 20;
const RECORDS_A_ROUND = 1_500;
const SEED = 1;

let redis: TestRedis;
let topic: TestTopic;
let dir: string;

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic()]);
  dir = mkdtempSync(join(tmpdir(), 'sluice-kill-'));
});

afterAll(async () => {
  await topic.stop();
  await redis.stop();
  rmSync(dir, { recursive: true });
});

it(`makes each offset's job once and loses none through ${KILLS} kills`, { timeout: 240_000 }, async () => {
  const record = join(dir, 'record.ndjson');
  const env = {
    KAFKA_BROKERS: topic.kafka.brokers.join(','),
    REDIS_URL: redis.url,
    SLUICE_KAFKA__GROUP_ID: topic.groupId,
    SLUICE_KAFKA__SESSION_TIMEOUT_MS: '1500',
    SLUICE_TOPICS: JSON.stringify({ [topic.topic]: {} }),
    SLUICE_WORKERS: `${ROOT}test/flow/fixtures/workers`,
    TEST_RECORD: record,
  };
  const random = createRandom(SEED);
  const watch = await watchQueue(redis.url, 'recorded', 'bull');
  const work = runSluice(['work'], { env });
  let bridge: Running = runSluice(['bridge'], { env });
  for (let kill = 0; kill < KILLS; kill++) {
    await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), 20_000);
    const producing = topic.producer.sendMany(views(RECORDS_A_ROUND, kill * RECORDS_A_ROUND));
    await new Promise((resolve) => setTimeout(resolve, random() * 1_200));
    await bridge.kill('SIGKILL');
    await producing;
    bridge = runSluice(['bridge'], { env });
  }
  const produced = await topic.size();
  expect(produced).toBe(KILLS * RECORDS_A_ROUND);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), { timeout: 60_000, interval: 250 });

  const runs = readFileSync(record, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { partition: number; offset: string; url: string });
  expect(new Set(runs.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(produced);
  expect(new Set(runs.map(({ url }) => url)).size).toBe(produced);
  expect(runs.length).toBe(produced);
  await vi.waitFor(() => expect(watch.created).toBe(produced), 10_000);
  expect(watch.createdTwice).toBe(0);

  expect(await bridge.kill('SIGTERM')).toBe(0);
  expect(await work.kill('SIGTERM')).toBe(0);
  await watch.stop();
});
