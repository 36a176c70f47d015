/** The dead-letter commands against letters as a bridge writes them, killed and doubled where that could hurt. */
import { expect, it, vi } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import type { KafkaRecord, OutgoingRecord } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { createRecordReader } from '../../src/kafka/record-reader.ts';
import { silentLog } from '../../src/log.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

const LETTERS = 2_000;
vi.setConfig({ testTimeout: 120_000 });

function envOf(topic: TestTopic, topics: object = { [topic.topic]: {} }): Record<string, string> {
  return {
    KAFKA_BROKERS: topic.kafka.brokers.join(','),
    SLUICE_KAFKA__GROUP_ID: topic.groupId,
    SLUICE_TOPICS: JSON.stringify(topics),
    SLUICE_PROTO: `${ROOT}proto`,
  };
}

function letter(topic: string, offset: number, change: Readonly<Record<string, string>> = {}): OutgoingRecord {
  const headers = { 'sluice.topic': topic, 'sluice.partition': '0', 'sluice.offset': `${offset}`, ...change };
  return { key: `${offset}`, value: Buffer.from(`v${offset}`), headers: { 'sluice.reason': 'dead', ...headers } };
}

async function withLetters(letters: (topic: string) => readonly OutgoingRecord[], partitions = 2): Promise<TestTopic> {
  const topic = await makeTopic(1);
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  await admin.ensureTopics([{ topic: `${topic.topic}.dlq`, partitions }]);
  await admin.stop(1_000);
  const producer = createRecordProducer(topic.kafka, silentLog);
  await producer.send(`${topic.topic}.dlq`, letters(topic.topic));
  await producer.stop(1_000);
  return topic;
}

async function recordsOf({ topic, kafka }: TestTopic): Promise<KafkaRecord[]> {
  const reader = createRecordReader(kafka, silentLog);
  const all: KafkaRecord[] = [];
  for (;;) {
    const some = await reader.read(topic, 0, (all.at(-1)?.offset ?? -1) + 1);
    if (some.length === 0) break;
    all.push(...some);
  }
  await reader.stop(1_000);
  return all;
}

async function told(env: Record<string, string>, ...args: readonly string[]) {
  const running = runSluice(['dlq', ...args], { env });
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

async function dlq(env: Record<string, string>, ...args: readonly string[]) {
  const { stdout, ...rest } = await told(env, ...args, '--json');
  const json = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
  return { ...rest, json };
}

/** As the status counts them. */
async function deadLetters(env: Record<string, string>): Promise<number> {
  const running = runSluice(['status', '--json'], { env: { ...env, REDIS_URL: 'redis://127.0.0.1:1' } });
  await running.ended;
  return JSON.parse(running.stdout()).topics[0].deadLetters;
}

const many = (topic: string) => Array.from({ length: LETTERS }, (_, i) => letter(topic, i));

it('sends nothing twice when it is killed again and again', async () => {
  const topic = await withLetters(many);
  const env = envOf(topic);
  for (let kills = 1; kills <= 3; kills++) {
    const before = (await recordsOf(topic)).length;
    const killed = runSluice(['dlq', 'replay', '--yes', '--rate', '400'], { env });
    await vi.waitFor(async () => expect((await recordsOf(topic)).length).toBeGreaterThan(before), {
      timeout: 30_000,
      interval: 20,
    });
    await killed.kill('SIGKILL');
  }
  const { code, json } = await dlq(env, 'replay', '--yes', '--rate', '100000');
  expect(code).toBe(0);
  expect(json[0].replayed).toBeLessThan(LETTERS);
  const records = await recordsOf(topic);
  expect(new Set(records.map(({ key }) => String(key))).size).toBe(LETTERS);
  expect(records.length).toBe(LETTERS);
  expect((await dlq(env, 'ls')).json).toEqual([]);
  await topic.stop();
});

it('sends nothing twice when two replay at the same time', async () => {
  const topic = await withLetters(many);
  const env = envOf(topic);
  const both = await Promise.all([1, 2].map(() => dlq(env, 'replay', '--yes', '--rate', '2000')));
  const last = await dlq(env, 'replay', '--yes', '--rate', '100000');
  expect(last.code).toBe(0);
  const records = await recordsOf(topic);
  expect([new Set(records.map(({ key }) => String(key))).size, records.length]).toEqual([LETTERS, LETTERS]);
  expect(both.map(({ code }) => code)).toContain(0);
  await topic.stop();
});

it('ends after the transaction under way when it is interrupted', async () => {
  const topic = await withLetters(many);
  const running = runSluice(['dlq', 'replay', '--yes', '--rate', '400', '--json'], { env: envOf(topic) });
  await vi.waitFor(async () => expect((await recordsOf(topic)).length).toBeGreaterThan(0), {
    timeout: 30_000,
    interval: 20,
  });
  expect(await running.kill('SIGINT')).toBe(130);
  const { replayed, left } = JSON.parse(running.stdout());
  expect([replayed, replayed + left]).toEqual([(await recordsOf(topic)).length, LETTERS]);
  await topic.stop();
});

it('refuses what cannot be replayed, and replays its neighbours', async () => {
  const large = (topic: string): OutgoingRecord => ({ ...letter(topic, 3), value: Buffer.alloc(4_300_000, 'x') });
  const topic = await makeTopic(1);
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  const settings = { 'max.message.bytes': '16777216' };
  await admin.ensureTopics([{ topic: `${topic.topic}.dlq`, partitions: 1, config: settings }]);
  const producer = createRecordProducer(topic.kafka, silentLog);
  await producer.send(`${topic.topic}.dlq`, [
    letter(topic.topic, 1),
    letter('no.such.topic', 2),
    large(topic.topic),
    letter(topic.topic, 4, { 'sluice.rebuilt': 'data' }),
    { key: 'foreign', value: Buffer.from('x') },
    letter(topic.topic, 5, { 'sluice.replayed': '3' }),
    letter(topic.topic, 6),
  ]);
  await Promise.all([producer.stop(1_000), admin.stop(1_000)]);
  const { code, json } = await dlq(envOf(topic), 'replay', '--yes');
  expect(code).toBe(6);
  expect(json[0].replayed).toBe(2);
  const why = Object.fromEntries(
    json[0].refused.map((each: { id: string; why: string }) => [each.id.split('/')[2], each.why]),
  );
  expect(why).toEqual({
    1: expect.stringContaining('no topic no.such.topic'),
    2: expect.stringContaining('max.message.bytes'),
    3: expect.stringContaining('does not fit its message type'),
    4: expect.stringContaining('--to'),
    5: expect.stringContaining('--force'),
  });
  expect((await recordsOf(topic)).map(({ key }) => String(key))).toEqual(['1', '6']);
  await topic.stop();
});

it('foretells what a replay does: how many are replayed, which are refused, and how many it does not list', async () => {
  const topic = await withLetters(
    (name) => [
      ...Array.from({ length: 12 }, (_, i) => letter(name, i)),
      letter(name, 12, { 'sluice.replayed': '3' }),
      letter('no.such.topic', 13),
      { ...letter(name, 14), value: Buffer.alloc(800_000, 'x') },
    ],
    1,
  );
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  await admin.ensureTopics([{ topic: `${topic.topic}.s`, partitions: 1, config: { 'max.message.bytes': '700000' } }]);
  await admin.stop(1_000);
  const env = envOf(topic);
  const foreseen = await dlq(env, 'replay', '--dry-run');
  const refused = [
    { id: `${topic.topic}.dlq/0/12`, why: expect.stringContaining('--force') },
    { id: `${topic.topic}.dlq/0/13`, why: expect.stringContaining('no topic no.such.topic') },
  ];
  expect(foreseen).toMatchObject({ code: 0, json: [{ wouldReplay: 13, refused }] });
  const { stdout } = await told(env, 'replay', '--dry-run');
  expect(stdout).toContain('13 letters would be replayed, 2 refused');
  expect(stdout).toContain('... and 3 more\n');
  const elsewhere = ['--to', `${topic.topic}.s`, '--force'];
  const small = { id: `${topic.topic}.dlq/0/14`, why: expect.stringContaining('max.message.bytes') };
  expect((await dlq(env, 'replay', '--dry-run', ...elsewhere)).json).toMatchObject([
    { wouldReplay: 14, refused: [small] },
  ]);
  const done = await dlq(env, 'replay', '--yes', ...elsewhere);
  expect(done).toMatchObject({ code: 6, json: [{ replayed: 14, refused: [small] }] });
  await topic.stop();
});

it('says of letters that are named and do not wait what is known of them', async () => {
  const topic = await withLetters((name) => [0, 1, 2, 3, 4].map((i) => letter(name, i)), 1);
  const env = envOf(topic);
  const id = (offset: number | string) => `${topic.topic}.dlq/0/${offset}`;
  expect(await dlq(env, 'replay', id(1), '--yes')).toMatchObject({ code: 0 });
  expect(await dlq(env, 'purge', id(3), '--yes')).toMatchObject({ code: 0 });
  const expected = [
    [id(1), 'it was replayed already'],
    [id(3), 'it was purged'],
    [id(99), 'it was never there'],
    [`${topic.topic}.dlq/7/0`, `${topic.topic}.dlq has no partition 7`],
    ['no.such.dlq/0/0', 'there is no topic no.such.dlq'],
  ] as const;
  const ids = expected.map(([each]) => each);
  for (const command of ['replay', 'purge']) {
    for (const how of ['--dry-run', '--yes']) {
      const { code, json, stderr } = await dlq(env, command, ...ids, how);
      expect([code, json]).toEqual([1, []]);
      for (const [each, why] of expected) expect(stderr).toContain(`${each}: ${why}`);
    }
  }
  expect(await dlq(env, 'replay', id(0), '--reason', 'drift', '--yes')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('the filters leave it out'),
  });
  expect((await dlq(env, 'show', id(99))).stderr).toContain(`${id(99)}: it was never there`);
  expect((await dlq(env, 'show', `${topic.topic}/0/99`)).stderr).toContain('no letter is of this record');
  expect((await dlq(env, 'ls')).json.length).toBe(3);
  await topic.stop();
});

it('deals with those of the named letters that wait, and refuses the others', async () => {
  const topic = await withLetters((name) => [0, 1, 2, 3].map((i) => letter(name, i)), 1);
  const env = envOf(topic);
  const id = (offset: number | string) => `${topic.topic}.dlq/0/${offset}`;
  await dlq(env, 'replay', id(1), '--yes');
  const refused = [{ id: id(1), why: 'it was replayed already' }];
  const named = [id(1), id('02'), id(2)];
  expect((await dlq(env, 'replay', ...named, '--dry-run')).json).toMatchObject([{ wouldReplay: 1, refused }]);
  expect(await dlq(env, 'replay', ...named, '--yes')).toMatchObject({ code: 6, json: [{ replayed: 1, refused }] });
  expect((await recordsOf(topic)).map(({ key }) => String(key))).toEqual(['1', '2']);
  const purge = ['purge', id(1), id(3)];
  expect((await dlq(env, ...purge, '--dry-run')).json).toMatchObject([{ wouldPurge: 1, refused }]);
  expect(await dlq(env, ...purge, '--yes')).toMatchObject({ code: 6, json: [{ purged: 1, refused }] });
  await topic.stop();
});

it('purges by filter, says how many, and deletes from the front what it can', async () => {
  const topic = await withLetters(
    (name) => [0, 1, 2, 3, 4, 5].map((i) => letter(name, i, { 'sluice.reason': i % 2 === 0 ? 'undecodable' : 'dead' })),
    1,
  );
  const env = envOf(topic);
  expect((await dlq(env, 'purge', '--reason', 'undecodable', '--dry-run')).json[0]).toMatchObject({ wouldPurge: 3 });
  expect((await dlq(env, 'purge')).code).toBe(2);
  const purged = await dlq(env, 'purge', '--reason', 'undecodable', '--yes');
  expect(purged.json[0]).toMatchObject({ purged: 3, deletedRecords: 1 });
  expect(await deadLetters(env)).toBe(3);
  expect((await dlq(env, 'ls')).json.map(({ origin }) => origin.split('/')[2]).sort()).toEqual(['1', '3', '5']);
  expect((await dlq(env, 'purge', `${topic.topic}.dlq/0/3`, '--yes')).json[0]).toMatchObject({ purged: 1 });
  expect((await dlq(env, 'purge', '--yes')).json[0]).toMatchObject({ purged: 2 });
  expect((await dlq(env, 'ls', '--all')).json).toEqual([]);
  expect(await deadLetters(env)).toBe(0);
  await topic.stop();
});

it('tells a filter that is mistyped from one that nothing fits', async () => {
  const topic = await withLetters((name) => [letter(name, 0, { 'sluice.message': 'acme.v1.Paid' })]);
  const env = envOf(topic);
  for (const command of ['ls', 'replay', 'purge']) {
    const { code, stderr } = await dlq(env, command, '--reason', 'daed');
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('did you mean "dead"?; allowed: tombstone, undecodable'),
    ]);
    const other = await dlq(env, command, '--message', 'acme.v1.Payd');
    expect(other.code).toBe(0);
    expect(other.stderr).toContain('no letter is of the message type acme.v1.Payd; did you mean "acme.v1.Paid"?');
  }
  const none = await dlq(env, 'ls', '--reason', 'drift', '--message', 'acme.v1.Paid');
  expect(none).toMatchObject({ code: 0, json: [], stderr: expect.not.stringContaining('warning') });
  await topic.stop();
});

it('refuses what makes no sense before it asks anybody', async () => {
  const topic = await makeTopic(1);
  const env = envOf(topic);
  expect(await dlq(env, 'show', 'nonsense')).toMatchObject({ code: 2 });
  expect(await dlq(env, 'replay', `${topic.topic}/0/1`, '--yes')).toMatchObject({ code: 2 });
  expect(await dlq(env, 'ls', '--since', 'yesterday')).toMatchObject({ code: 2 });
  expect(await dlq(env, 'replay', '--rate', '0', '--yes')).toMatchObject({ code: 2 });
  expect(await dlq(env, 'ls')).toMatchObject({ code: 0, json: [] });
  expect(await dlq(env, 'show', `${topic.topic}.dlq/0/0`)).toMatchObject({ code: 1 });
  expect(await dlq({ ...env, KAFKA_BROKERS: '127.0.0.1:1' }, 'ls')).toMatchObject({ code: 4 });
  await topic.stop();
});
