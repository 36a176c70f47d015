/** One partition's lane against real transactions: what is repeated, what others do meanwhile, and what was deleted. */
import { randomUUID } from 'node:crypto';
import kafkajs from 'kafkajs';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { DelayTopics } from '../../src/bridge/delay-topics.ts';
import { Lane } from '../../src/bridge/lane.ts';
import { LateRecords } from '../../src/bridge/late-records.ts';
import { systemClock } from '../../src/clock.ts';
import { type Buckets, delayStateTopic, delayTopic, LATE } from '../../src/job/late.ts';
import { HISTORY } from '../../src/job/letter.ts';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import type { KafkaRecord, TransactionalProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { createTransactionalProducer } from '../../src/kafka/transactional-producer.ts';
import { silentLog } from '../../src/log.ts';
import { kafkaBrokers } from '../support/stack.ts';

const GROUP = 'lane-test';
const BUCKETS: Buckets = {
  nearMs: 100,
  waits: [
    { name: 'short', waitMs: 100 },
    { name: 'long', waitMs: 1_000 },
  ],
};

const config = kafkaConfig.parse({ brokers: kafkaBrokers() });
const admin = createKafkaAdmin(config, silentLog);
const reader = createRecordReader(config, silentLog);
const producer = createRecordProducer(config, silentLog);
const lanes: Lane[] = [];
const refused: string[] = [];
const missing: [number, number][] = [];

let topic: string;
let now: number;

beforeEach(async () => {
  topic = `lane.${randomUUID().slice(0, 8)}`;
  now = Date.now();
  await admin.ensureTopics([{ topic, partitions: 2 }]);
});

afterAll(async () => {
  for (const lane of lanes) await lane.close();
  await Promise.all([producer.stop(1_000), reader.stop(1_000), admin.stop(1_000)]);
});

function makeLane(wrap: (producer: TransactionalProducer) => TransactionalProducer = (same) => same): LateRecords {
  const topics = new DelayTopics(admin, systemClock);
  const lane = new Lane(
    { topic, partition: 1 },
    {
      group: GROUP,
      producer: () => wrap(createTransactionalProducer(config, `${GROUP}.${topic}`, silentLog)),
      reader,
      admin,
      ensure: (name, of) => topics.ensure(name, of),
    },
  );
  lanes.push(lane);
  return new LateRecords(lane, {
    buckets: BUCKETS,
    refuse: async (_, { value }) => void refused.push(String(value)),
    onMissing: (_, from, to) => void missing.push([from, to]),
    clock: { now: () => now, sleep: async () => {} },
  });
}

/** Writes records to the topic and answers them as read, each due so long after now. */
async function late(...dueInMs: number[]): Promise<{ record: KafkaRecord; dueAt: number; queue: string }[]> {
  const [before] = [(await admin.bounds([topic])).get(`${topic}/1`)?.high ?? 0];
  const values = dueInMs.map((ms, i) => ({ key: `k-${i}`, value: Buffer.from(`due in ${ms}`), partition: 1 }));
  await producer.send(
    topic,
    values.map((each) => ({ ...each, timestamp: now, headers: { trace: 'abc' } })),
  );
  const records = await reader.read(topic, 1, before);
  return records.map((record, i) => ({ record, dueAt: now + (dueInMs[i] ?? 0), queue: 'mail' }));
}

async function valuesIn(name: string): Promise<string[]> {
  if (!(await admin.topics()).includes(name)) return [];
  const values: string[] = [];
  let next = (await admin.bounds([name])).get(`${name}/1`)?.low ?? 0;
  for (;;) {
    const records = await reader.read(name, 1, next);
    if (records.length === 0) return values;
    values.push(...records.map(({ value }) => String(value)));
    next = (records.at(-1)?.offset ?? 0) + 1;
  }
}

/** A transaction shows a moment after its end. */
const soon = (values: () => Promise<string[]>) => expect.poll(values, { timeout: 5_000 });

const inBucket = (name: string) => valuesIn(delayTopic(topic, GROUP, name));

async function moveFor(lane: LateRecords, forMs: number): Promise<void> {
  for (const end = now + forMs; now < end; now += 50) await lane.moveOn().catch(() => undefined);
}

/** Until nothing waits. */
async function moveAll(lane: LateRecords): Promise<void> {
  const left = async () => {
    await moveFor(lane, 500);
    return lane.waiting;
  };
  await expect.poll(left, { timeout: 10_000 }).toBe(0);
}

it('moves records on, bucket by bucket, and back with the identity that they first had', async () => {
  const lane = makeLane();
  const start = now;
  const records = await late(2_450, 150, 1_150);
  expect(await lane.take(0, records)).toBe(3);
  await soon(() => inBucket('long')).toEqual(['due in 2450', 'due in 1150']);
  await soon(() => inBucket('short')).toEqual(['due in 150']);
  expect(lane.waiting).toBe(3);
  await moveAll(lane);
  await soon(async () => (await valuesIn(topic)).slice(3)).toHaveLength(3);
  const back = (await reader.read(topic, 1, 3)).map(({ value, key, headers }) => ({
    value: String(value),
    key: String(key),
    headers,
  }));
  expect(back.map(({ value }) => value)).toEqual(['due in 150', 'due in 1150', 'due in 2450']);
  expect(back[2]).toMatchObject({
    key: 'k-0',
    headers: {
      trace: 'abc',
      [LATE.due]: String(start + 2_450),
      [LATE.group]: GROUP,
      [HISTORY.firstTopic]: topic,
      [HISTORY.firstPartition]: '1',
      [HISTORY.firstOffset]: '0',
      [HISTORY.firstTimestamp]: String(start),
    },
  });
});

it('brings back at once what is nearly due when it is read', async () => {
  const lane = makeLane();
  const records = await late(5_000, -200, 50);
  expect(await lane.take(0, records)).toBe(3);
  expect(lane.waiting).toBe(1);
  await soon(async () => (await valuesIn(topic)).slice(3)).toEqual(['due in -200', 'due in 50']);
});

it('takes each record once, whoever reads it again', async () => {
  const records = await late(150, 250);
  expect(await makeLane().take(0, records.slice(0, 1))).toBe(1);
  const next = makeLane();
  expect(await next.take(0, records)).toBe(1);
  expect(await next.take(0, records)).toBe(0);
  await soon(() => inBucket('short')).toEqual(['due in 150', 'due in 250']);
});

it('takes them again after an operator has set the offsets back', async () => {
  const records = await late(150);
  const lane = makeLane();
  expect(await lane.take(0, records)).toBe(1);
  expect(await lane.take(1, records)).toBe(1);
  expect(await lane.take(1, records)).toBe(0);
});

it('takes the records of a topic that was made anew', async () => {
  const lane = makeLane();
  await lane.take(0, await late(150, 150));
  const old = topic;
  topic = `lane.${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 2 }]);
  now += 5;
  const records = await late(150);
  // The state of the old topic under the new one's name, as it is when a topic is deleted and made again.
  const state = await reader.read(`${old}.delay.${GROUP}.state`, 1, 0);
  const topics = new DelayTopics(admin, systemClock);
  await topics.ensure(`${topic}.delay.${GROUP}.state`, { topic, partition: 1 });
  await producer.send(`${topic}.delay.${GROUP}.state`, [
    { key: 'state', value: state.at(-1)?.value ?? null, partition: 1 },
  ]);
  expect(await makeLane().take(0, records)).toBe(1);
});

it('lets a lane that was taken over do nothing, until it has opened again and knows what was done', async () => {
  const records = await late(150, 250);
  const [zombie, heir] = [makeLane(), makeLane()];
  await zombie.take(0, records.slice(0, 1));
  await heir.moveOn();
  await expect(zombie.take(0, records)).rejects.toMatchObject({ code: 'DISOWNED' });
  await moveAll(heir);
  expect(await zombie.take(0, records)).toBe(1);
  await expect(heir.take(0, records)).rejects.toMatchObject({ code: 'DISOWNED' });
  await moveAll(heir);
  await soon(() => valuesIn(topic)).toEqual(['due in 150', 'due in 250', 'due in 150', 'due in 250']);
});

it.each(['before', 'after'] as const)('repeats no step whose answer was lost %s it was made', async (when) => {
  let isLosing = true;
  const losing = (producer: TransactionalProducer): TransactionalProducer => ({
    ...producer,
    async write(records) {
      if (when === 'after') await producer.write(records);
      if (!isLosing) return when === 'before' ? producer.write(records) : undefined;
      isLosing = false;
      throw new Error('the answer is lost');
    },
  });
  const lane = makeLane(losing);
  const records = await late(150);
  await expect(lane.take(0, records)).rejects.toThrow('lost');
  expect(await lane.take(0, records)).toBe(when === 'before' ? 1 : 0);
  isLosing = true;
  await moveAll(lane);
  expect(isLosing).toBe(false);
  await soon(() => valuesIn(topic)).toEqual(['due in 150', 'due in 150']);
});

it('has Kafka compact the topics of which only the last record of each key counts', async () => {
  await makeLane().take(0, await late(5_000));
  const name = delayStateTopic(topic, GROUP);
  const settings = (await admin.settings([name])).get(name);
  expect(settings?.get('cleanup.policy')).toBe('compact');
  expect(settings?.get('segment.ms')).toBe('3600000');
  expect(settings?.get('segment.bytes')).toBe('16777216');
  expect(settings?.get('min.cleanable.dirty.ratio')).toBe('0.1');
});

it('undoes what a writer had begun when it died', async () => {
  const records = await late(150);
  const lane = makeLane();
  await lane.take(0, records);
  const peer = new kafkajs.Kafka({ brokers: kafkaBrokers(), logLevel: kafkajs.logLevel.NOTHING });
  const dead = peer.producer({ transactionalId: `${GROUP}.${topic}`, idempotent: true, maxInFlightRequests: 1 });
  await dead.connect();
  await (await dead.transaction()).send({ topic, messages: [{ value: 'half a step', partition: 1 }] });
  const heir = makeLane();
  await moveAll(heir);
  await soon(() => valuesIn(topic)).toEqual(['due in 150', 'due in 150']);
  await dead.disconnect();
});

it('says what was deleted before its time, and goes on behind it', async () => {
  const lane = makeLane();
  await lane.take(0, await late(150, 151));
  await lane.take(0, await late(152));
  missing.length = 0;
  await admin.deleteBelow({ topic: delayTopic(topic, GROUP, 'short'), partition: 1 }, 2);
  await moveAll(lane);
  expect(missing).toEqual([[0, 2]]);
  await soon(async () => (await valuesIn(topic)).slice(3)).toEqual(['due in 152']);
});

it('makes a dead letter of a record that its topic does not take back, and moves its neighbours', async () => {
  topic = `lane.${randomUUID().slice(0, 8)}`;
  await admin.ensureTopics([{ topic, partitions: 2, config: { 'max.message.bytes': '2000' } }]);
  const lane = makeLane();
  const records = await late(150, 151, 152);
  const large = { ...records[1], record: { ...records[1]?.record, value: Buffer.alloc(1_900, 'x') } };
  await lane.take(0, [records[0], large, records[2]] as typeof records);
  refused.length = 0;
  await moveAll(lane);
  expect(refused.map(({ length }) => length)).toEqual([1_900]);
  await soon(async () => (await valuesIn(topic)).slice(3)).toEqual(['due in 150', 'due in 152']);
});
