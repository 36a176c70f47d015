/** One message by Kafka, by the producer straight to Redis, and by a plain `queue.add`: the same to the worker. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createProducer } from '../../src/producer.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

const TYPE = 'acme.web.v1.PageView';

let redis: TestRedis;
let topic: TestTopic;
let dir: string;

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  dir = mkdtempSync(join(tmpdir(), 'sluice-ways-'));
});

afterAll(async () => {
  await topic.stop();
  await redis.stop();
  rmSync(dir, { recursive: true });
});

it('looks the same, succeeds the same and is tried as often', async () => {
  const record = join(dir, 'record.ndjson');
  const env = { ...sluiceEnv(topic, redis, 'mixed-workers'), TEST_RECORD: record };
  const bridge = runSluice(['bridge'], { env });
  const work = runSluice(['work'], { env });
  const message = {
    url: 'https://x/recovers',
    bytes: 9_007_199_254_740_993n,
    occurredAt: '2026-01-31T12:00:00.123456Z',
  };
  const options = { key: 'user-1', headers: { trace: 'abc' } };

  await topic.producer.send(TYPE, message, options);
  const direct = createProducer({
    via: 'redis',
    redis: { url: redis.url },
    proto: [`${ROOT}proto`],
    workers: env.SLUICE_WORKERS,
  });
  await direct.send(TYPE, message, options);
  const queue = new Queue('mixed', { connection: new Redis(redis.url, { maxRetriesPerRequest: null }) });
  await queue.add(TYPE, { ...message, bytes: '9007199254740993' });

  const runs = await vi.waitFor(
    () => {
      const lines = readFileSync(record, 'utf8').trim().split('\n');
      expect(lines.length).toBe(9);
      return lines.map(
        (line) => JSON.parse(line) as { key?: string; headers: object; attempt: number; isFromKafka: boolean },
      );
    },
    { timeout: 30_000, interval: 100 },
  );
  const views = new Set(runs.map(({ key, headers, attempt, isFromKafka, ...view }) => JSON.stringify(view)));
  expect(views.size).toBe(1);
  expect([...views][0]).toContain('"bytes":"9007199254740993"');
  expect(runs.map(({ attempt }) => attempt).sort()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  expect(runs.filter(({ key }) => key === 'user-1').length).toBe(6);
  expect(runs.filter(({ isFromKafka }) => isFromKafka).length).toBe(3);

  await direct.close();
  await queue.close();
  expect(await bridge.kill('SIGTERM')).toBe(0);
  expect(await work.kill('SIGTERM')).toBe(0);
});

it('tells a producer of a bad message which field is wrong, by either way, and sends nothing', async () => {
  const size = await topic.size();
  await expect(topic.producer.send(TYPE, { urll: 'x' })).rejects.toThrow(/urll: .* did you mean "url"/);
  await expect(topic.producer.send(TYPE, { url: 'x' }, { delayMs: -1 })).rejects.toThrow(
    /delayMs: the number -1 is not allowed/,
  );
  expect(await topic.size()).toBe(size);
});
