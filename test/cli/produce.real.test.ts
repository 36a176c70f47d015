import { randomUUID } from 'node:crypto';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import { silentLog } from '../../src/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { kafkaBrokers } from '../support/stack.ts';
import { folder, run } from './run.ts';

const topic = `e-produce-${randomUUID().slice(0, 8)}`;
const admin = createKafkaAdmin(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
  await admin.ensureTopics([{ topic, partitions: 1 }]);
});
afterAll(async () => {
  await admin.stop(1_000);
  await redis.stop();
});

const cwd = folder({
  'proto/ping.proto': 'syntax = "proto3"; package acme.v1; message Ping { string text = 1; int32 size = 2; }',
});

function produce(args: string[], input?: string) {
  const env = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    REDIS_URL: redis.url,
    SLUICE_TOPICS: JSON.stringify({ [topic]: {} }),
  };
  return run(['produce', ...args], { cwd, env, ...(input !== undefined && { input }) });
}

async function end(): Promise<number> {
  return (await admin.bounds([topic])).get(`${topic}/0`)?.high ?? -1;
}

test('to Kafka: what is acked is in the topic, bad lines are named, exit 6', async () => {
  const before = await end();
  const input = ['{"text":"a"}', '{"txet":"b"}', '{"size":"many"}', '{"text":"d","size":7}', 'x'].join('\n');
  const { code, stdout, stderr } = await produce(['acme.v1.Ping', '--key', 'k'], input);
  expect(code).toBe(6);
  expect(JSON.parse(stdout)).toEqual({ version: 1, acked: 2, refused: 3, unknown: 0 });
  expect(stderr).toMatch(/^line 2: txet: .*no such field/m);
  expect(stderr).toMatch(/^line 3: .*size/m);
  expect(stderr).toMatch(/^line 5: no JSON/m);
  expect((await end()) - before).toBe(2);
});

test('one message by flag', async () => {
  const { code, stdout } = await produce(['acme.v1.Ping', '--json', '{"text":"a"}']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: '{"version":1,"acked":1,"refused":0,"unknown":0}\n' });
});

test('an unknown type is told before anything is sent', async () => {
  const { code, stderr } = await produce(['acme.v1.Pong', '--json', '{}']);
  expect(code).toBe(3);
  expect(stderr).toContain('did you mean acme.v1.Ping?');
});

test('to Redis: a job on the queue, later when asked', async () => {
  const { code } = await produce([
    'acme.v1.Ping',
    '--via',
    'redis',
    '--queue',
    'mail',
    '--delay',
    '60000',
    '--json',
    '{"text":"a"}',
  ]);
  expect(code).toBe(0);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
  const queue = new Queue('mail', { connection, skipMetasUpdate: true });
  const [job] = await queue.getDelayed();
  expect(job?.name).toBe('acme.v1.Ping');
  expect(job?.data).toEqual({ text: 'a' });
  expect(job?.delay).toBeGreaterThan(55_000);
  await queue.close();
  connection.disconnect();
});

test.each([
  [
    'redis',
    'REDIS_URL',
    'redis://ada:hunter2@127.0.0.1:1',
    /^sluice: Redis at redis:\/\/ada:\*{3}@127\.0\.0\.1:1 .*REFUSED/,
  ],
  ['kafka', 'KAFKA_BROKERS', '127.0.0.1:1', /^sluice: .*Kafka at 127\.0\.0\.1:1: .*REFUSED/],
])('%s refuses: exit 4, nothing was sent, and where the address is from', async (via, variable, address, words) => {
  const env = { [variable]: address };
  const { code, stdout, stderr } = await run(['produce', 'acme.v1.Ping', '--via', via, '--json', '{}'], { cwd, env });
  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toMatchObject({ acked: 0, unknown: 0 });
  expect(stderr).toMatch(words);
  expect(stderr).toContain('\nnothing was sent\n');
  expect(stderr).toContain(`is from ${variable}`);
  expect(stderr).not.toMatch(/hunter2|max retries/);
});

test('a topic that nobody has made yet: nothing was sent, and who makes it', async () => {
  const { code, stdout, stderr } = await produce(['acme.v1.Ping', '--topic', `${topic}-not-there`, '--json', '{}']);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toMatchObject({ acked: 0, unknown: 0 });
  expect(stderr).toContain('has no such topic; a bridge makes the topics that it consumes when it starts');
  expect(stderr).toContain('\nnothing was sent\n');
});

test('no line at all is a wrong use, exit 2', async () => {
  const { code, stdout, stderr } = await produce(['acme.v1.Ping'], '\n');
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({ acked: 0 });
  expect(stderr).toContain('nothing to produce: no line came');
});

test('on a terminal it says what it waits for', async () => {
  const env = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    SLUICE_TOPICS: JSON.stringify({ [topic]: {} }),
    NODE_OPTIONS: '--import data:text/javascript,process.stdin.isTTY=true',
  };
  const { code, stderr } = await run(['produce', 'acme.v1.Ping'], { cwd, env, input: '{"text":"typed"}\n' });
  expect(stderr).toBe('reading from the terminal: each line one acme.v1.Ping as JSON; Ctrl-D ends\n');
  expect(code).toBe(0);
});

test('events for a topic that nobody consumes are warned of, also without --topic', async () => {
  const env = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    SLUICE_TOPICS: JSON.stringify({ [topic]: { record: 'json', message: 'acme.v1.Ping' } }),
  };
  const { stderr } = await run(['produce', 'acme.v1.Ping', '--json', '{"nothing":"sent"}'], { cwd, env });
  expect(stderr).toContain(`warning: sluice.jobs is not among the topics that are consumed: ${topic}`);
});

test.each([
  [['--file', 'not-there'], 'not-there is not there'],
  [['--json', '{}', '--file', 'x'], 'give one of them'],
  [['--via', 'rediss', '--json', '{}'], 'did you mean "redis"?'],
])('%j is a wrong use, exit 2', async (args, words) => {
  const { code, stderr } = await produce(['acme.v1.Ping', ...args]);
  expect(code).toBe(2);
  expect(stderr).toContain(words);
});

test('Sidekiq jobs, as they are spelled, to either; bad ones are named', async () => {
  const name = `${topic}-sidekiq`;
  await admin.ensureTopics([{ topic: name, partitions: 1 }]);
  const SLUICE_TOPICS = JSON.stringify({ [name]: { record: 'sidekiq', target: 'sidekiq' } });
  const env = { KAFKA_BROKERS: kafkaBrokers().join(), REDIS_URL: redis.url, SLUICE_TOPICS };
  const input = '{"class":"HardJob","args":[1.0],"queue":"ruby"}\n{"class":"HardJob"}\n{"cl';
  for (const via of ['kafka', 'redis']) {
    const { code, stderr } = await run(['produce', '--sidekiq', '--via', via], { cwd, env, input });
    expect(stderr).toMatch(
      /^line 2: the Sidekiq job has no args; allowed: a list\nline 3: the Sidekiq job is not JSON/,
    );
    expect(code).toBe(6);
  }
  expect((await admin.bounds([name])).get(`${name}/0`)?.high).toBe(1);
  const connection = new Redis(redis.url);
  expect(await connection.lrange('queue:ruby', 0, -1)).toEqual([expect.stringContaining('"args":[1.0]')]);
  connection.disconnect();
});

test.each([
  [['acme.v1.Ping'], '--sidekiq: the job itself says its class, queue, time and retries; leave out acme.v1.Ping'],
  [['--queue', 'a'], '--sidekiq: the job itself says its class, queue, time and retries; leave out --queue'],
  [['--topic', topic], 'holds envelope records; with --sidekiq, Sidekiq jobs are written'],
])('Sidekiq jobs with %j are refused', async (args, words) => {
  const { code, stderr } = await produce(['--sidekiq', '--json', '{}', ...args]);
  expect(stderr).toContain(words);
  expect(code).toBe(2);
});

const sidekiq = { record: 'sidekiq', target: 'sidekiq' };

test('of several topics, one is to be named', async () => {
  const SLUICE_TOPICS = JSON.stringify({ [`${topic}-a`]: sidekiq, [`${topic}-b`]: sidekiq });
  const args = ['produce', '--sidekiq', '--json', '{"class":"HardJob","args":[]}'];
  const { code, stderr } = await run(args, { cwd, env: { SLUICE_TOPICS } });
  expect(stderr).toContain(`--topic: missing; several are consumed: ${topic}-a, ${topic}-b`);
  expect(code).toBe(2);
});
