/**
 * The gate under a backlog that does not fit: workers stopped, a Redis of 128 MB, 400,000 records of 500 bytes. Its
 * memory is read by a connection of the test's own, all the time. Then the workers start, and everything is done.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { encodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

const RECORDS = 400_000;
const RECORD_BYTES = 500;
const MAXMEMORY = 128 * 1_048_576;
const CLOSE_AT = 0.75 * MAXMEMORY;
/** P5: two batches in flight, each of at most 500 records and 1 MiB, with what Redis adds to a job. */
const IN_FLIGHT = 2 * (1_048_576 + 500 * 1_000);
const SAMPLE_MS = 20;

let redis: TestRedis;
let topic: TestTopic;
let reader: Redis;

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis({ maxmemory: '128mb' }), makeTopic(6)]);
  reader = connect('reader', redis, 'command', silentLog);
});

afterAll(async () => {
  await disconnect(reader);
  await topic.stop();
  await redis.stop();
});

it('keeps a backlog in Kafka and Redis below its threshold', { timeout: 300_000 }, async () => {
  await produce();
  const env = {
    KAFKA_BROKERS: topic.kafka.brokers.join(','),
    REDIS_URL: redis.url,
    SLUICE_KAFKA__GROUP_ID: topic.groupId,
    SLUICE_TOPICS: JSON.stringify({ [topic.topic]: {} }),
    SLUICE_WORKERS: `${ROOT}test/flow/fixtures/idle-workers`,
  };
  const samples: [ms: number, used: number, waiting: number][] = [];
  const sampling = sample(samples);
  const bridge = runSluice(['bridge'], { env });
  await vi.waitFor(() => expect(bridge.stderr()).toContain('gate closed'), 60_000);

  // Closed for longer than the session: a member that did not heartbeat would be gone.
  const assignments = () => bridge.stderr().split('partitions assigned').length;
  const before = assignments();
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  expect(assignments()).toBe(before);
  const lately = samples.slice(-200).map(([, , waiting]) => waiting);
  expect(new Set(lately).size).toBe(1);

  const work: Running = runSluice(['work'], { env });
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), { timeout: 200_000, interval: 500 });
  expect(await reader.llen('bull:counted:wait')).toBe(0);
  expect(await reader.get('bull:counted:id')).toBe(String(RECORDS));
  sampling.stop();
  keep(samples);

  expect(Math.max(...samples.map(([, used]) => used))).toBeLessThan(CLOSE_AT + IN_FLIGHT);
  expect(bridge.stderr() + work.stderr()).not.toContain('OOM');
  expect((await reader.info('errorstats')).includes('OOM')).toBe(false);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  expect(await work.kill('SIGTERM')).toBe(0);
});

async function produce(): Promise<void> {
  const producer = createRecordProducer(topic.kafka, silentLog);
  const payload = loadSchemas([`${ROOT}proto`])
    .codec('acme.web.v1.PageView')
    .encode({ title: 'x'.repeat(RECORD_BYTES - 40) });
  const value = Buffer.from(encodeEnvelope({ type: 'acme.web.v1.PageView', payload }));
  const AT_ONCE = 5_000;
  for (let sent = 0; sent < RECORDS; sent += AT_ONCE) {
    await producer.send(
      topic.topic,
      Array.from({ length: AT_ONCE }, (_, i) => ({ key: String(sent + i), value })),
    );
  }
  await producer.stop(5_000);
  expect(await topic.size()).toBe(RECORDS);
}

function sample(into: [number, number, number][]): { stop(): void } {
  const startedAt = Date.now();
  const timer = setInterval(async () => {
    const [memory, waiting] = await Promise.all([reader.info('memory'), reader.llen('bull:counted:wait')]).catch(
      () => ['', 0] as const,
    );
    const used = /used_memory:(\d+)/.exec(memory)?.[1];
    if (used !== undefined) into.push([Date.now() - startedAt, Number(used), waiting]);
  }, SAMPLE_MS);
  return { stop: () => clearInterval(timer) };
}

/** For the picture in docs/; see docs/gate.md. */
function keep(samples: readonly (readonly number[])[]): void {
  const dir = process.env.SLUICE_TEST_KEEP;
  if (dir === undefined) return;
  mkdirSync(dir, { recursive: true });
  writeFileSync(`${dir}/gate-memory.csv`, `ms,used_bytes,waiting\n${samples.map((row) => row.join(',')).join('\n')}\n`);
}
