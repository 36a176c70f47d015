/**
 * Kafka to a real Sidekiq while the bridge is killed and joined by another: each record is one job, run once, and Ruby sees
 * what was in the record.
 */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { RecordProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, startSidekiq } from '../support/sidekiq.ts';
import { runSluice } from '../support/sluice.ts';

const JOBS = 100_000;
const SEND = 5_000;
const PATIENCE = { timeout: 200_000, interval: 500 };

let server: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let env: Record<string, string>;

beforeAll(async () => {
  [server, topic] = await Promise.all([startRedis(), makeTopic(6)]);
  records = createRecordProducer(topic.kafka, silentLog);
  env = sluiceEnv(topic, server, 'idle-workers', { [topic.topic]: { target: 'sidekiq', record: 'sidekiq' } });
});

afterAll(async () => {
  await records.stop(1_000);
  await topic.stop();
  await server.stop();
});

/** Kinds of arguments that a reader of JSON could spoil, each job with its number. */
const SPELLED: readonly [json: string, ruby: string][] = [
  ['1.0', '1.0'],
  ['9007199254740993', '9007199254740993'],
  ['[]', '[]'],
  ['{}', '{}'],
  ['{"a":{"b":[1.50]}}', '{"a"=>{"b"=>[1.5]}}'],
  ['"zażółć 🦊"', '"zażółć 🦊"'],
  ['-0.0', '-0.0'],
  ['1e3', '1000.0'],
  ['null', 'nil'],
  [`"${'x'.repeat(100_000)}"`, `"${'x'.repeat(100_000)}"`],
];
const PLAIN = ['"plain"', '"plain"'] as const;

function jobAt(i: number): string {
  const [spelled] = SPELLED[i % 1_000] ?? PLAIN;
  return `{"class":"Note","args":[${i},${spelled}],"jid":"${i.toString(16).padStart(24, '0')}","retry":3}`;
}

async function produce(): Promise<void> {
  for (let start = 0; start < JOBS; start += SEND) {
    const batch = Array.from({ length: SEND }, (_, i) => ({
      key: `key-${(start + i) % 97}`,
      value: Buffer.from(jobAt(start + i)),
    }));
    await records.send(topic.topic, batch);
  }
}

it('runs each record once in Ruby, through kills of the bridge and rebalances', { timeout: 280_000 }, async () => {
  const first = runSluice(['bridge'], { env });
  const ruby = await startSidekiq(server, { concurrency: 10 });
  const produced = produce();
  const ran = () => runRuby<number>(server, 'Sidekiq::Stats.new.processed');
  await vi.waitFor(async () => expect(await ran()).toBeGreaterThan(5_000), PATIENCE);
  const second = runSluice(['bridge'], { env });
  await vi.waitFor(async () => expect(await ran()).toBeGreaterThan(20_000), PATIENCE);
  await first.kill('SIGKILL');
  await produced;
  const third = runSluice(['bridge'], { env });
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  await vi.waitFor(async () => expect(await ran()).toBe(JOBS), PATIENCE);
  await Promise.all([second.kill('SIGTERM'), third.kill('SIGTERM'), ruby.stop()]);

  const ended = ruby.runs('ended');
  expect(ended.length).toBe(JOBS);
  expect(new Set(ended.map(({ jid }) => jid)).size).toBe(JOBS);
  for (const { args } of ended) {
    const [number, seen] = args.map(({ inspect }) => inspect);
    const [, expected] = SPELLED[Number(number) % 1_000] ?? PLAIN;
    if (seen !== expected) expect(seen).toBe(expected);
  }
  expect(await topic.size(`${topic.topic}.dlq`)).toBe(0);
});
