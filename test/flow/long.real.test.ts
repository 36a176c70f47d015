/**
 * A job that runs for long does not hold the commit back, runs once, and survives the loss of Redis although the commit
 * has passed its record and its topic does not hold it any more. The limits are short here.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { unfinishedOf } from '../../src/bridge/carried.ts';
import { createRandom } from '../../src/faults/random.ts';
import { carriedTopic } from '../../src/job/late.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import type { KafkaAdmin, RecordReader } from '../../src/kafka/consumer.ts';
import { readOn } from '../../src/kafka/letters/survey.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, type Running, runScript, runSluice } from '../support/sluice.ts';

const RECORDS = 40;
const KILLS = 10;
const PATIENCE = { timeout: 60_000, interval: 100 };
/** Carried as soon as anything above is finished. */
const BY_METADATA = { lookEveryMs: 200, fillShare: 0, oldAfterMs: 500 };
/** Carried when it has a tenth of a second behind it, of the topic's days. */
const BY_RETENTION = { lookEveryMs: 200, fillShare: 2, retentionShare: 1 - 500 / 604_800_000 };

interface Entry {
  readonly url: string;
  readonly offset: string;
  readonly eventId: string;
  readonly what: 'begin' | 'end';
}

let redis: TestRedis;
let reader: RecordReader;
let admin: KafkaAdmin;
let client: Redis;
let topic: TestTopic;
let dir: string;
let env: Record<string, string>;
let bridge: Running;
let work: Running;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-long-'));
});

afterAll(() => rmSync(dir, { recursive: true }));

beforeEach(async () => {
  [redis, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  client = connect('test', redis, 'command', silentLog);
  reader = createRecordReader(topic.kafka, silentLog);
  admin = createKafkaAdmin(topic.kafka, silentLog);
});

afterEach(async () => {
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await disconnect(client);
  await Promise.all([topic.stop(), reader.stop(1_000), admin.stop(1_000)]);
  await redis.stop();
});

function start(limits: object, more: Record<string, string> = {}): void {
  env = {
    ...sluiceEnv(topic, redis, 'long-workers'),
    TEST_RECORD: join(dir, topic.topic),
    TEST_END: join(dir, `${topic.topic}.end`),
    TEST_LONG_JOBS: JSON.stringify(limits),
    ...more,
  };
  bridge = startBridge();
  work = runSluice(['work'], { env });
}

/** Until the commit has passed every record, the long one included. */
async function carriedAway(limits: object): Promise<void> {
  start(limits);
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(() => expect(entries('end')).toHaveLength(RECORDS - 1), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toEqual([7]), PATIENCE);
}

function startBridge(): Running {
  return runScript(`${ROOT}test/flow/fixtures/short-waits.ts`, { env });
}

function entries(what: Entry['what']): Entry[] {
  try {
    const lines = readFileSync(env.TEST_RECORD ?? '', 'utf8').trim();
    return lines
      .split('\n')
      .map((line) => JSON.parse(line) as Entry)
      .filter((entry) => entry.what === what);
  } catch {
    return [];
  }
}

const longOnes = (what: Entry['what']) => entries(what).filter(({ url }) => url.endsWith('/7'));

async function carried(): Promise<number[]> {
  const place = { topic: carriedTopic(topic.topic, topic.groupId), partition: 0 };
  const unfinished = await unfinishedOf(readOn({ reader, admin }, place, 0));
  return unfinished.map(({ record }) => record.offset);
}

function endLongJob(): void {
  writeFileSync(env.TEST_END ?? '', '');
}

/** Everything has ended once, as what it was, and Kafka knows. */
async function expectDone(begins: number): Promise<void> {
  await vi.waitFor(() => expect(longOnes('end')).toHaveLength(1), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toEqual([]), PATIENCE);
  expect(longOnes('begin')).toHaveLength(begins);
  expect(new Set(longOnes('begin').map(({ offset, eventId }) => `${offset} ${eventId}`)).size).toBe(1);
  expect(longOnes('end')[0]?.offset).toBe('7');
  expect(entries('end')).toHaveLength(RECORDS);
  expect(await client.keys('bull:long:k~*')).toEqual([]);
}

it.each([
  ['the metadata of the commit fills', BY_METADATA],
  ['its record nears its retention', BY_RETENTION],
])('carries a job that runs on when %s, through kills of the bridge', { timeout: 120_000 }, async (_, limits) => {
  await carriedAway(limits);
  await bridge.kill('SIGKILL');
  bridge = startBridge();
  await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
  await topic.producer.sendMany(views(1, RECORDS - 1));
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toEqual([7]), PATIENCE);
  endLongJob();
  await vi.waitFor(() => expect(longOnes('end')).toHaveLength(1), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toEqual([]), PATIENCE);
  expect(longOnes('begin')).toHaveLength(1);
  expect(entries('end')).toHaveLength(RECORDS + 1);
});

it('makes a carried job again when Redis is emptied, and no other', { timeout: 120_000 }, async () => {
  await carriedAway(BY_METADATA);
  // Nothing of the topic itself is needed.
  await admin.deleteBelow({ topic: topic.topic, partition: 0 }, RECORDS);
  await work.kill('SIGKILL');
  await client.flushall();
  await vi.waitFor(async () => expect(await client.llen('bull:long:wait')).toBe(1), PATIENCE);
  endLongJob();
  work = runSluice(['work'], { env });
  await expectDone(2);
});

it('makes a carried job again when everything dies at once', { timeout: 120_000 }, async () => {
  await carriedAway(BY_METADATA);
  await Promise.all([work.kill('SIGKILL'), bridge.kill('SIGKILL'), redis.kill()]);
  await redis.restart();
  bridge = startBridge();
  endLongJob();
  work = runSluice(['work'], { env });
  await expectDone(2);
});

it('lets a carried job whose worker dies run again where it is', { timeout: 120_000 }, async () => {
  await carriedAway(BY_METADATA);
  await work.kill('SIGKILL');
  endLongJob();
  work = runSluice(['work'], { env });
  await expectDone(2);
});

it('loses and doubles none of many through kills of the bridge, and of everything', { timeout: 180_000 }, async () => {
  const random = createRandom(1);
  start({ ...BY_METADATA, oldAfterMs: 0 }, { TEST_LONG: '7$', SLUICE_QUEUES: '{"long":{"concurrency":200}}' });
  for (let round = 0; round < KILLS; round++) {
    await vi.waitFor(() => expect(bridge.stderr()).toContain('partitions assigned'), PATIENCE);
    await topic.producer.sendMany(views(RECORDS, round * RECORDS));
    await new Promise((resolve) => setTimeout(resolve, random() * 2_000));
    await bridge.kill('SIGKILL');
    bridge = startBridge();
  }
  const [all, long] = [KILLS * RECORDS, (KILLS * RECORDS) / 10];
  await vi.waitFor(() => expect(entries('end')).toHaveLength(all - long), PATIENCE);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toHaveLength(long), PATIENCE);
  await vi.waitFor(() => expect(entries('begin')).toHaveLength(all), PATIENCE);
  await Promise.all([work.kill('SIGKILL'), bridge.kill('SIGKILL'), redis.kill()]);
  await redis.restart();
  bridge = startBridge();
  endLongJob();
  work = runSluice(['work'], { env });
  await vi.waitFor(() => expect(new Set(entries('end').map(({ url }) => url)).size).toBe(all), PATIENCE);
  await vi.waitFor(async () => expect(await carried()).toEqual([]), PATIENCE);
  expect(entries('end')).toHaveLength(all);
  expect(entries('begin')).toHaveLength(all + long);
});
