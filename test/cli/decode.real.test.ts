/** What `sluice decode` prints is what the bridge puts into Redis. */
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { createProducer } from '../../src/producer.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT, runSluice } from '../support/sluice.ts';
import { folder, run } from './run.ts';

const cwd = folder({
  'proto/ping.proto': 'syntax = "proto3"; package acme.v1; message Ping { string text = 1; int64 size = 2; }',
  'workers/ping.mjs':
    "import { defineWorker } from 'sluice'; export default defineWorker('acme.v1.Ping', { queue: 'pings', run() {} });",
});
const TIME = '2026-01-31T08:00:00.25Z';
const TOPICS = {
  ruby: { record: 'sidekiq', target: 'sidekiq' },
  pings: { record: 'protobuf', message: 'acme.v1.Ping', target: 'sidekiq', class: 'PingJob', queue: 'low' },
  bytes: { record: 'json', message: 'acme.v1.Ping', target: 'sidekiq', class: 'PingJob', arguments: 'base64' },
  envelopes: { target: 'sidekiq', class: 'PingJob', settle: 'acknowledged' },
  node: {},
};
const PING = Buffer.from(
  loadSchemas([join(cwd, 'proto')])
    .codec('acme.v1.Ping')
    .encode({ text: 'a', size: 7n }),
);

let redis: TestRedis;
let spelled: TestTopic;
let messages: TestTopic;
let enveloped: TestTopic;

beforeAll(async () => {
  [redis, spelled, messages, enveloped] = await Promise.all([startRedis(), makeTopic(2), makeTopic(1), makeTopic(1)]);
});

afterAll(async () => {
  await Promise.all([redis, spelled, messages, enveloped].map((each) => each.stop()));
});

function decode(topic: string, args: string[], input?: string) {
  const env = { SLUICE_TOPICS: JSON.stringify(TOPICS) };
  const all = ['decode', ...args, '--topic', topic, '--time', TIME];
  return run(all, { cwd, env, ...(input !== undefined && { input }) });
}

test('a Sidekiq job stays as it is spelled, and is the same whenever it is asked for', async () => {
  const input = '{"class":"HardJob","args":[1.0,9007199254740993,[],{}],"unique_for":1e2}\n';
  const { code, stdout, stderr } = await decode('ruby', ['--as', 'sidekiq', '--key', 'k'], input);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toBe(
    '{"enqueued_at":1769846400.250000,"class":"HardJob","args":[1.0,9007199254740993,[],{}],"unique_for":1e2,' +
      '"retry":true,"jid":"efa33905158913a0d8dcf7f7","queue":"default","created_at":1769846400.250000,' +
      '"sl":{"from":"k~ruby~0~0~0f5aec3c~0","key":"k"}}\n',
  );
});

test('the page in docs/ shows what is printed', async () => {
  const page = readFileSync(`${ROOT}docs/decode.md`, 'utf8');
  const [, config] = /```ts\n(.*?)```/s.exec(page) as unknown as [string, string];
  const [, command, line] = /\$ sluice (.*)\n(.*)\n/.exec(page) as unknown as [string, string, string];
  const args = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const there = folder({ 'package.json': '{"type":"module"}', 'sluice.config.ts': config });
  const { stdout } = await run([...args, '--proto', `${ROOT}proto`], { cwd: there });
  expect(stdout).toBe(`${line}\n`);
});

test('a job on several lines is printed on one', async () => {
  const { code, stdout } = await decode('ruby', ['--raw'], '{\r\n  "class": "A",\n  "args": [\n    1.0\n  ]\n}\n');
  expect({ code, lines: stdout.split('\n').length }).toEqual({ code: 0, lines: 2 });
  expect(stdout).toContain('"args":[     1.0   ]');
});

test('messages become jobs of their class, by whatever form they are given', async () => {
  const given = [
    await decode('pings', ['--json', '{"text":"a","size":"7"}']),
    await decode('pings', ['acme.v1.Ping'], '{"text":"a","size":7}'),
    await decode('pings', ['--base64'], `${PING.toString('base64')}\n`),
    await decode('pings', ['--raw', '--file', fileOf(PING)]),
    await decode('pings', ['--raw'], PING.toString('latin1')),
  ];
  expect(given.map(({ code, stderr }) => `${code}${stderr}`)).toEqual(given.map(() => '0'));
  expect(new Set(given.map(({ stdout }) => stdout)).size).toBe(1);
  expect(JSON.parse(given[0]?.stdout as string)).toMatchObject({
    class: 'PingJob',
    args: [{ text: 'a', size: '7' }],
    queue: 'low',
  });
});

function fileOf(bytes: Buffer): string {
  const file = join(cwd, `record-${randomUUID()}.bin`);
  writeFileSync(file, bytes);
  return file;
}

test('arguments as base64, envelopes with what is about them, and when a job waits', async () => {
  const { stdout: inBase64 } = await decode('bytes', ['--json', '{"text":"a","size":"7"}']);
  expect(JSON.parse(inBase64).args).toEqual([PING.toString('base64')]);

  const line = { type: 'acme.v1.Ping', message: {}, key: 'k', id: 'e', delayMs: 60_000, attempts: 3, queue: 'q' };
  const { stdout, stderr } = await decode('envelopes', [], JSON.stringify(line));
  const job = JSON.parse(stdout);
  expect(job).toMatchObject({ class: 'PingJob', args: [{}], retry: 2, queue: 'q' });
  expect(job).not.toHaveProperty('enqueued_at');
  expect(job.sl).toEqual({ source: 'k~envelopes~0~0~0f5aec3c~0', id: 'e', key: 'k' });
  expect(stderr).toBe('line 1: waits until 2026-01-31T08:01:00.250Z\n');
});

test("a BullMQ topic's jobs are what its workers get", async () => {
  const { code, stdout } = await decode('node', ['acme.v1.Ping', '--as', 'bullmq', '--json', '{"text":"a"}']);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    id: 'k~node~0~0~0',
    queue: 'pings',
    name: 'acme.v1.Ping',
    data: { text: 'a' },
    opts: { attempts: 10 },
  });
});

test("a lean queue's jobs are printed as they lie there", async () => {
  const env = { SLUICE_TOPICS: JSON.stringify(TOPICS), SLUICE_QUEUES: '{"pings":{"lean":true}}' };
  const lines = [{}, { attempts: 10 }].map((asked) => JSON.stringify({ type: 'acme.v1.Ping', message: {}, ...asked }));
  const { code, stdout } = await run(['decode', '--topic', 'node'], { cwd, env, input: lines.join('\n') });
  expect(code).toBe(0);
  const options = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { opts: object }).opts);
  expect(options).toEqual([
    { removeOnFail: false, sl: {} },
    { attempts: 10, removeOnFail: false, sl: {} },
  ]);
});

test('what becomes no job is named, and the others are printed', async () => {
  const input = '{"class":"A","args":[]}\n\n{"class":"A"}\n{"class":"A","args":[],"at":"soon"}\nx';
  const { code, stdout, stderr } = await decode('ruby', [], input);
  expect(code).toBe(6);
  expect(stdout.match(/\n/g)?.length).toBe(1);
  expect(stderr.split('\n')).toEqual([
    'line 3: invalid: the Sidekiq job has no args; allowed: a list',
    expect.stringMatching(/^line 4: invalid: the Sidekiq job's at is the string "soon"; allowed: /),
    expect.stringMatching(/^line 5: invalid: the Sidekiq job is not JSON/),
    '',
  ]);
});

test.each([
  ['pings', ['--json', '{"txet":"a"}'], /^line 1: txet: .*did you mean "text"/],
  ['pings', ['--json', '{'], /^line 1: no JSON/],
  ['envelopes', ['--json', '{"message":{}}'], /^line 1: type: missing/],
  ['envelopes', ['acme.v1.Pong', '--json', '{}'], /^line 1: .*did you mean acme.v1.Ping/],
  ['pings', ['--raw', '--file', fileOf(Buffer.from([255]))], /^\S+: undecodable: not a protobuf message/],
])('none of %s by %j: exit 1', async (topic, args, words) => {
  const { code, stdout, stderr } = await decode(topic, args);
  expect(stderr).toMatch(words);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
});

test.each([
  ['rubby', [], '--topic: rubby is not consumed; did you mean "ruby"?'],
  ['node', ['--as', 'sidekiq'], '--as: the records of node become jobs of bullmq'],
  ['node', ['--as', 'sidekick'], '--as: "sidekick" is not allowed; did you mean "sidekiq"?; allowed: bullmq, sidekiq'],
  ['pings', ['acme.v1.Pong'], 'pings holds acme.v1.Ping; leave out acme.v1.Pong'],
  ['ruby', ['acme.v1.Ping'], 'ruby holds Sidekiq jobs; leave out acme.v1.Ping'],
  ['ruby', ['--raw', '--base64'], '--raw and --base64: give one of them'],
  ['ruby', ['--raw', '--json', '{}'], '--raw: bytes come from --file or stdin'],
  ['ruby', ['--file', 'none', '--raw'], '--file: none is not there'],
  ['ruby', ['--offset', '1'], 'a record in Kafka is named by --topic, --partition and --offset'],
  ['ruby', ['--partition', '0', '--offset', '1', '--key', 'k'], '--key: means nothing for a record in Kafka'],
])('%s with %j is a wrong use', async (topic, args, words) => {
  const { code, stderr } = await decode(topic, args, '');
  expect(stderr).toContain(words);
  expect(code).toBe(2);
});

test('no line at all is a wrong use', async () => {
  expect(await decode('ruby', [], '\n')).toMatchObject({
    code: 2,
    stderr: 'sluice: nothing to decode: no line came\n',
  });
});

test('a record in Kafka is printed as the bridge leaves it in Redis', async () => {
  const view = { record: 'protobuf', message: 'acme.web.v1.PageView', target: 'sidekiq', class: 'View' };
  const env = sluiceEnv(spelled, redis, 'idle-workers', {
    [spelled.topic]: { record: 'sidekiq', target: 'sidekiq', settle: 'acknowledged' },
    [messages.topic]: view,
    [enveloped.topic]: { target: 'sidekiq', class: 'View', arguments: 'base64', queue: 'views' },
  });
  await produceAll();
  const places = [
    [spelled.topic, 1, 0],
    [spelled.topic, 1, 1],
    [messages.topic, 0, 0],
    [enveloped.topic, 0, 0],
  ] as const;
  const printed: string[] = [];
  for (const [topic, partition, offset] of places) {
    const args = ['decode', '--topic', topic, '--partition', String(partition), '--offset', String(offset)];
    const { code, stdout, stderr } = await run(args, { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    printed.push(stdout.trimEnd());
  }
  expect(printed.map(withoutTime).sort()).toEqual((await left(env, printed.length)).map(withoutTime).sort());
  expect(printed[1]).toContain('"args":[1.0,"ü"]');

  const missing = ['decode', '--topic', spelled.topic, '--partition', '1', '--offset', '9'];
  expect(await run(missing, { env })).toMatchObject({ code: 1, stderr: expect.stringContaining('/1') });
});

async function produceAll(): Promise<void> {
  const kafka = spelled.kafka;
  const records = createRecordProducer(kafka, silentLog);
  const jobs = ['{"class":"A","args":[],"queue":"a"}', '{"args":[1.0,"ü"],"class":"A","retry":3,"jid":"j"}'];
  await records.send(
    spelled.topic,
    jobs.map((text) => ({ key: 'k', value: Buffer.from(text), partition: 1, headers: { trace: 't' } })),
  );
  const view = loadSchemas([`${ROOT}proto`])
    .codec('acme.web.v1.PageView')
    .encode({ url: 'https://x', bytes: 5n });
  await records.send(messages.topic, [{ key: null, value: Buffer.from(view) }]);
  await records.stop(1_000);
  const events = createProducer({ via: 'kafka', kafka, topic: enveloped.topic, proto: [`${ROOT}proto`] });
  await events.send('acme.web.v1.PageView', { url: 'https://y' }, { key: 'u', attempts: 2 });
  await events.close();
}

/** What a bridge has left on the queues. */
async function left(env: Readonly<Record<string, string>>, count: number): Promise<string[]> {
  const connection = connect('test', redis, 'command', silentLog);
  const bridge = runSluice(['bridge'], { env });
  const texts = await vi.waitFor(
    async () => {
      const queues = await connection.smembers('queues');
      const found = (await Promise.all(queues.map((queue) => connection.lrange(`queue:${queue}`, '0', '-1')))).flat();
      expect(found.length).toBe(count);
      return found;
    },
    { timeout: 30_000, interval: 100 },
  );
  await Promise.all([bridge.kill('SIGTERM'), disconnect(connection)]);
  return texts;
}

function withoutTime(text: string): string {
  return text.replace(/"enqueued_at":[\d.]+,/, '');
}
