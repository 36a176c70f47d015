/** Poison of every kind among good records: each becomes a letter that says why, and the neighbours flow on. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import { createGroupConsumer } from '../../src/kafka/group-consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { encodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

let redis: TestRedis;
let topic: TestTopic;
let dir: string;

beforeAll(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  dir = mkdtempSync(join(tmpdir(), 'sluice-bad-'));
});

afterAll(async () => {
  await topic.stop();
  await redis.stop();
  rmSync(dir, { recursive: true });
});

const codec = loadSchemas([`${ROOT}proto`]).codec('acme.web.v1.PageView');

function envelope(url: string, change: object = {}): Buffer {
  return Buffer.from(encodeEnvelope({ type: codec.type, payload: codec.encode({ url }), ...change }));
}

/** What is produced, in order, and the reason of its letter; none for a good record. */
const RECORDS: [value: Buffer | null, reason?: string, error?: RegExp][] = [
  [envelope('https://x/1')],
  [null, 'tombstone', /no value/],
  [Buffer.alloc(0), 'undecodable', /names no message type/],
  [Buffer.from('complete garbage \xff\xfe'), 'undecodable', /not a protobuf message/],
  [envelope('https://x/2')],
  [Buffer.from(encodeEnvelope({ type: 'acme.Unknown', payload: new Uint8Array() })), 'unroutable', /acme\.Unknown/],
  [
    Buffer.from(encodeEnvelope({ type: codec.type, payload: Buffer.from([0x0a, 0x05, 0x41]) })),
    'undecodable',
    /end within a field/,
  ],
  [
    Buffer.from(encodeEnvelope({ type: codec.type, payload: Buffer.from([0x58 | 2, 0x01, 0x41]) })),
    'undecodable',
    /"status" has wire type 2/,
  ],
  [
    Buffer.from(encodeEnvelope({ type: 'sluice.v1.Job', payload: new Uint8Array() })),
    'unroutable',
    /no worker runs sluice\.v1\.Job/,
  ],
  [envelope('https://x/3', { queue: 'a:b' }), 'unroutable', /no queue name/],
  [Buffer.alloc(2_000_000, 1), 'too-large', /2000000 bytes/],
  [envelope('https://x/dead'), 'dead', /as it was told/],
  [envelope('https://x/fails'), 'dead', /fails each time/],
  [envelope('https://x/recovers')],
  [envelope('https://x/4')],
];

it('writes a letter for each bad record and each dead job, and commits them all', async () => {
  const large = { 'max.message.bytes': '4000000' };
  const { createKafkaAdmin } = await import('../../src/kafka/admin.ts');
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  const name = `${topic.topic}.large`;
  await admin.ensureTopics([{ topic: name, partitions: 1, config: large }]);
  const producer = createRecordProducer(topic.kafka, silentLog);
  await producer.send(
    name,
    RECORDS.map(([value], i) => ({ key: `key-${i}`, value, headers: { trace: String(i) } })),
  );
  await producer.stop(1_000);

  const record = join(dir, 'record.ndjson');
  const env = { ...sluiceEnv(topic, redis, 'mixed-workers', { [name]: {} }), TEST_RECORD: record };
  const bridge = runSluice(['bridge'], { env });
  const work = runSluice(['work'], { env });
  const expected = RECORDS.flatMap(([, reason, error], offset) =>
    reason === undefined ? [] : [{ offset, reason, error }],
  );
  await vi.waitFor(async () => expect(await topic.size(`${name}.dlq`)).toBe(expected.length), {
    timeout: 40_000,
    interval: 200,
  });
  await vi.waitFor(
    async () => expect((await admin.committed(topic.groupId, [name])).get(`${name}/0`)?.offset).toBe(RECORDS.length),
    { timeout: 20_000, interval: 200 },
  );

  const letters = (await readAll(`${name}.dlq`, expected.length)).sort((a, b) => offsetOf(a) - offsetOf(b));
  expect(letters.map((letter) => ({ offset: offsetOf(letter), reason: letter.headers['sluice.reason'] }))).toEqual(
    expected.map(({ offset, reason }) => ({ offset, reason })),
  );
  for (const [i, { error, offset }] of expected.entries()) {
    const letter = letters[i] as KafkaRecord;
    expect(letter.headers['sluice.error']).toMatch(error as RegExp);
    expect(letter.headers['sluice.topic']).toBe(name);
    expect(letter.value).toEqual(RECORDS[offset]?.[0] ?? null);
    expect(String(letter.key)).toBe(`key-${offset}`);
    expect(letter.headers.trace).toBe(String(offset));
    expect(Number(letter.headers['sluice.timestamp'])).toBeGreaterThan(0);
    expect(letter.headers['sluice.rebuilt']).toBeUndefined();
  }
  const fails = letters.find((letter) => letter.headers['sluice.error']?.includes('fails each time'));
  expect(fails?.headers['sluice.attempts']).toBe('3');
  expect(fails?.headers['sluice.stack']).toContain('page-view.ts');
  expect(fails?.headers).toMatchObject({
    'sluice.message': codec.type,
    'sluice.queue': 'mixed',
    'sluice.generation': '0',
  });
  expect(fails?.headers['sluice.event-id']).toMatch(/^[0-9a-f-]{36}$/);
  expect(Number(fails?.headers['sluice.failed'])).toBeGreaterThan(Number(fails?.headers['sluice.created']));
  const told = letters.find((letter) => letter.headers['sluice.error'] === 'as it was told');
  expect(told?.headers['sluice.stack']).toBeUndefined();

  const lines = bridge.stderr().split('\n');
  const written = lines.filter((line) => line.includes('a dead letter was written') && line.includes('undecodable'));
  expect(written).toHaveLength(1);

  const runs = readFileSync(record, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { url: string });
  const timesRun = (url: string) => runs.filter((run) => run.url === url).length;
  expect(['1', '2', '4'].map((each) => timesRun(`https://x/${each}`))).toEqual([1, 1, 1]);
  expect([timesRun('https://x/dead'), timesRun('https://x/fails'), timesRun('https://x/recovers')]).toEqual([1, 3, 3]);

  const reader = connect('test', redis, 'command', silentLog);
  expect(await reader.zcard('bull:mixed:failed')).toBe(0);
  expect((await reader.keys('bull:mixed:k~*')).length).toBe(0);
  await disconnect(reader);
  await admin.stop(1_000);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  expect(await work.kill('SIGTERM')).toBe(0);
});

function offsetOf(letter: KafkaRecord): number {
  return Number(letter.headers['sluice.offset']);
}

async function readAll(of: string, count: number): Promise<KafkaRecord[]> {
  const found: KafkaRecord[] = [];
  const through = Promise.withResolvers<void>();
  const consumer = createGroupConsumer({
    config: { ...topic.kafka, groupId: `${topic.groupId}-reader` },
    topics: [of],
    log: silentLog,
    handlers: {
      assigned: ({ partitions }) => {
        for (const partition of partitions) consumer.seek(partition, 0);
        consumer.resume(partitions);
      },
      revoked: () => undefined,
      records: async ({ records }, control) => {
        found.push(...records);
        control.resolve(records.at(-1)?.offset as number);
        if (found.length >= count) through.resolve();
      },
      outOfRange: () => undefined,
      failed: through.reject,
    },
  });
  await consumer.start();
  await through.promise;
  await consumer.stop(2_000);
  return found;
}
