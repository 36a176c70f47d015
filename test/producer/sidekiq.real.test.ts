/** Sidekiq jobs from Node end at a real Ruby Sidekiq, straight by Redis; what Redis refuses is told. */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { createProducer, type SidekiqProducer, type SidekiqSettings } from '../../src/producer.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Run, startSidekiq } from '../support/sidekiq.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

const TEXT = '{"class":"Note","args":[1.0,9007199254740993,1e2,[],{},"ü\\u2028",{"a":[null,-0.5]}],"queue":"spelled"}';

let redis: TestRedis;
let connection: Redis;
const producers: SidekiqProducer[] = [];

beforeAll(async () => {
  redis = await startRedis();
  connection = connect('test', redis, 'command', silentLog);
});

beforeEach(async () => {
  await connection.flushall();
});

afterAll(async () => {
  await Promise.all(producers.map((each) => each.close()));
  await disconnect(connection);
  await redis.stop();
});

function sidekiq(settings: Partial<SidekiqSettings> = {}): SidekiqProducer {
  const made = createProducer({ target: 'sidekiq', via: 'redis', redis: { url: redis.url }, ...settings });
  producers.push(made);
  return made;
}

function onQueue(queue: string): Promise<string[]> {
  return connection.lrange(`queue:${queue}`, 0, -1);
}

it('is run by Ruby with equal arguments, now and later, in order', async () => {
  const producer = sidekiq();
  const big = 'x'.repeat(100_000);
  const jid = await producer.perform('Note', ['bob', 1.5, 2n ** 53n + 1n, [], {}, 'ü😀', big], { queue: 'mail' });
  const later = await producer.perform('Note', ['later'], { queue: 'mail', in: 1, tags: ['vip'] });
  const passed = await producer.perform('Note', ['passed'], { queue: 'mail', at: new Date(0) });
  const [spelled] = await producer.performJson([TEXT]);
  expect(await connection.zcard('schedule')).toBe(1);

  const ruby = await startSidekiq(redis, { queues: ['mail', 'spelled'], concurrency: 1 });
  await vi.waitFor(() => expect(ruby.runs('ended').length).toBe(4), { timeout: 15_000, interval: 50 });
  const runs = new Map(ruby.runs('ended').map((run) => [run.jid, run]));
  expect([...runs.keys()]).toEqual([jid, passed, spelled, later]);
  const first = runs.get(jid)?.args.map(({ class: type, inspect }) => [type, inspect]);
  expect(first).toEqual([
    ['String', '"bob"'],
    ['Float', '1.5'],
    ['Integer', '9007199254740993'],
    ['Array', '[]'],
    ['Hash', '{}'],
    ['String', '"ü😀"'],
    ['String', `"${big}"`],
  ]);
  expect(
    runs
      .get(spelled as string)
      ?.args.slice(0, 3)
      .map(({ inspect }) => inspect),
  ).toEqual(['1.0', '9007199254740993', '100.0']);
  expect(runs.get(later)?.job).toMatchObject({ tags: ['vip'], queue: 'mail', retry: true });
  await ruby.stop();
});

it('is the same job for Ruby by Kafka and by Redis', async () => {
  const topic = await makeTopic(1);
  const env = sluiceEnv(topic, redis, 'idle-workers', { [topic.topic]: { record: 'sidekiq', target: 'sidekiq' } });
  const bridge = runSluice(['bridge'], { env });
  const ruby = await startSidekiq(redis, { queues: ['same', 'spelled'] });
  const args = ['bob', 1.5, -0.25, 2n ** 70n, [], {}, null, { ü: [true, '😀'] }];
  const options = { queue: 'same', tags: ['a'], retry: 2, unique_for: 60, key: 'k', headers: { trace: 't' } };
  for (const via of ['kafka', 'redis'] as const) {
    const producer = sidekiq({ via, kafka: topic.kafka, topic: topic.topic });
    const jids = [
      await producer.perform('Note', args, options),
      ...(await producer.performMany([{ class: 'Note', args: [via], in: 1, queue: 'same' }])),
      ...(await producer.performJson([TEXT])),
    ];
    await vi.waitFor(() => expect(ruby.runs('ended').map(({ jid }) => jid)).toEqual(expect.arrayContaining(jids)), {
      timeout: 30_000,
      interval: 100,
    });
  }
  const runs = Map.groupBy(ruby.runs('ended'), (run) => (run.job.sl as { from?: string })?.from !== undefined);
  const seen = (run: Run) => JSON.stringify([run.queue, run.args.map(({ inspect }) => inspect), settledFields(run)]);
  const [byKafka, byRedis] = [runs.get(true) ?? [], runs.get(false) ?? []];
  expect(byKafka.length).toBe(3);
  expect(
    byKafka
      .map(seen)
      .map((text) => text.replace('kafka', 'redis'))
      .sort(),
  ).toEqual(byRedis.map(seen).sort());
  await Promise.all([bridge.kill('SIGTERM'), ruby.stop()]);
  await topic.stop();
});

/** What has to be the same, whichever way a job came. */
function settledFields({ job: { jid, created_at, enqueued_at, sl, args, ...fields } }: Run): object {
  const { from: _, ...about } = (sl ?? {}) as Record<string, unknown>;
  const times = [created_at, enqueued_at].map((time) => Math.abs(Number(time) - Date.now() / 1000) < 60);
  return { ...Object.fromEntries(Object.entries(fields).sort()), about, times, jid: String(jid).length };
}

it('appears with all jobs of its call, first in, first out', async () => {
  const jobs = Array.from({ length: 1_200 }, (_, i) => ({ class: 'Note', args: [i], queue: `q${i % 3}` }));
  const jids = await sidekiq().performMany(jobs);
  expect(new Set(jids).size).toBe(1_200);
  expect((await connection.smembers('queues')).sort()).toEqual(['q0', 'q1', 'q2']);
  const texts = await onQueue('q1');
  expect(texts.reverse().map((text) => JSON.parse(text).args[0])).toEqual(
    Array.from({ length: 400 }, (_, i) => i * 3 + 1),
  );
});

it('is on its queue when its time is now or past, and else in the schedule', async () => {
  const now = Date.now();
  const times = [{ in: 0 }, { at: now / 1000 }, { at: new Date(now - 1) }, { at: 0 }];
  await sidekiq().performMany(times.map((time) => ({ class: 'Note', args: [], ...time })));
  expect((await onQueue('default')).length).toBe(4);
  await sidekiq().perform('Note', [], { in: 90.5 });
  const [text, score] = await connection.zrange('schedule', '0', '-1', 'WITHSCORES');
  expect(Math.abs(Number(score) - now / 1000 - 90.5)).toBeLessThan(5);
  expect(text).not.toMatch(/"(at|enqueued_at)":/);
});

it('writes times for Sidekiq 8 when told so', async () => {
  await sidekiq({ dialect: '8' }).perform('Note', []);
  await sidekiq({ dialect: '7' }).perform('Note', []);
  const [seven, eight] = await onQueue('default');
  expect(eight).toMatch(/"enqueued_at":\d{13},.*"created_at":\d{13}[,}]/);
  expect(seven).toMatch(/"enqueued_at":\d{10}\.\d{6},.*"created_at":\d{10}\.\d{6}[,}]/);
});

it('carries key and headers in our own field, the last of all', async () => {
  await sidekiq().perform('Note', [], { key: 'user-7', headers: { trace: 'ü' } });
  const [text] = await onQueue('default');
  expect(text).toMatch(/,"sl":\{"key":"user-7","headers":\{"trace":"ü"\}\}\}$/);
});

it('adds nothing of a call that Redis refuses', async () => {
  await connection.config('SET', 'maxmemory', '1');
  const jobs = ['a', 'b'].map((queue) => ({ class: 'Note', args: [], queue }));
  const refusal = { code: 'REDIS_REFUSES', message: expect.stringContaining('OOM') };
  await expect(sidekiq().performMany(jobs)).rejects.toMatchObject(refusal);
  expect(await connection.keys('*')).toEqual([]);
  await connection.config('SET', 'maxmemory', '0');
});

it('tells of a key that is in the way', async () => {
  await connection.set('queue:default', 'text');
  await expect(sidekiq().perform('Note', [])).rejects.toMatchObject({ code: 'UNFIT', message: /WRONGTYPE/ });
});

it('rejects in bounded time while Redis is away, and says that nothing was sent', async () => {
  const since = Date.now();
  const away = sidekiq({ redis: { url: 'redis://127.0.0.1:1' } });
  await expect(away.perform('Note', [])).rejects.toMatchObject({ code: 'UNREACHABLE', isUnsent: true });
  expect(Date.now() - since).toBeLessThan(10_000);
});

it('loads the client of its own way alone, and reads no .proto', () => {
  const script = `
    import { registerHooks } from 'node:module';
    const seen = new Set();
    registerHooks({ load(url, context, next) {
      seen.add(/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]);
      return next(url, context);
    } });
    const { createProducer } = await import('${ROOT}src/producer.ts');
    const producer = createProducer({ target: 'sidekiq', redis: { url: 'redis://127.0.0.1:1' } });
    await producer.perform('Note', []).catch(() => undefined);
    await producer.close();
    console.log(JSON.stringify([...seen]));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    cwd: '/',
    env: { ...process.env, SLUICE_VIA: 'redis' },
  });
  expect(stderr).toBe('');
  const seen = JSON.parse(stdout) as string[];
  expect(seen).toContain('ioredis');
  for (const none of ['kafkajs', 'bullmq', 'fastify']) expect(seen).not.toContain(none);
});
