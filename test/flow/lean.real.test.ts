/**
 * A lean queue from end to end: its jobs hold what their events ask for and no more, also when Redis has lost them once; Sluice's
 * hosts treat them as their workers' definitions say; and stock workers that serve it by mistake lose nothing.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const TYPE = 'acme.web.v1.PageView';
const PATIENCE = { timeout: 50_000, interval: 100 };

let server: TestRedis;
let topic: TestTopic;
let dir: string;
let redis: Redis;
let bridge: Running;
let env: Record<string, string>;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
  dir = mkdtempSync(join(tmpdir(), 'sluice-lean-'));
});

beforeEach(async () => {
  topic = await makeTopic(1);
  env = {
    ...sluiceEnv(topic, server, 'mixed-workers'),
    SLUICE_QUEUES: '{"mixed":{"lean":true}}',
    TEST_RECORD: join(dir, topic.topic),
  };
  bridge = runSluice(['bridge'], { env });
});

afterEach(async () => {
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await topic.stop();
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
  rmSync(dir, { recursive: true });
});

const jobKeys = () => redis.keys('bull:mixed:k~*');

/** A job of each event, by its key, once all are there: its fields, and its options. */
async function jobs(count: number): Promise<Record<string, unknown>> {
  const keys = await vi.waitFor(async () => {
    const found = await jobKeys();
    expect(found).toHaveLength(count);
    return found;
  }, PATIENCE);
  const hashes = await Promise.all(keys.map((key) => redis.hgetall(key)));
  const told = hashes.map(({ opts = '', ...fields }) => {
    const { sl, ...options } = JSON.parse(opts) as { sl: { key: string } };
    return [sl.key, [Object.keys(fields).sort().join(' '), options]];
  });
  return Object.fromEntries(told);
}

it('is run by its definition and by what events ask for, and made again as it was', async () => {
  const send = (url: string, key: string, options = {}) =>
    topic.producer.send(TYPE, { url: `https://x/${url}` }, { key, ...options });
  await send('fine', 'plain');
  await send('recovers', 'by definition');
  await send('fails', 'in vain');
  await send('fails', 'once', { attempts: 1 });
  await send('recovers', 'more', { attempts: 5 });
  await send('fine', 'late', { delayMs: 600_000 });
  await send('fine', 'urgent', { priority: 3 });
  await send('dead', 'told');

  const [fields, kept] = ['data name timestamp', { removeOnFail: false }];
  const expected = {
    plain: [fields, kept],
    'by definition': [fields, kept],
    'in vain': [fields, kept],
    once: [fields, { attempts: 1, ...kept }],
    more: [fields, { attempts: 5, ...kept }],
    late: [`data delay name timestamp`, { ...kept, delay: expect.any(Number) }],
    urgent: ['data name priority timestamp', { ...kept, priority: 3 }],
    told: [fields, kept],
  };
  expect(await jobs(8)).toEqual(expected);
  await redis.flushall();
  expect(await jobs(8)).toEqual(expected);

  const work = runSluice(['work'], { env });
  await vi.waitFor(async () => expect(await jobKeys()).toHaveLength(1), PATIENCE);
  const [late] = (await jobKeys()) as [string];
  await redis.zadd('bull:mixed:delayed', 0, late.slice('bull:mixed:'.length));
  await redis.zadd('bull:mixed:marker', 0, '0');
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  expect(await work.kill('SIGTERM')).toBe(0);

  const runs = readFileSync(env.TEST_RECORD ?? '', 'utf8')
    .trim()
    .split('\n');
  const attempts = Object.groupBy(
    runs.map((line) => JSON.parse(line) as { key: string; attempt: number }),
    ({ key }) => key,
  );
  const counts = Object.fromEntries(
    Object.entries(attempts).map(([key, of = []]) => [key, of.map((each) => each.attempt)]),
  );
  expect(counts).toEqual({
    ...{ plain: [1], late: [1], urgent: [1], told: [1], once: [1] },
    ...{ 'by definition': [1, 2, 3], more: [1, 2, 3], 'in vain': [1, 2, 3] },
  });
  expect(await topic.size(`${topic.topic}.dlq`)).toBe(3);
  expect(await jobKeys()).toEqual([]);
});

it('loses nothing to a stock worker, which tries each job once, whatever history it keeps', async () => {
  const [RECORDS, DYING] = [300, 40];
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(async () => expect(await jobKeys()).toHaveLength(RECORDS), PATIENCE);
  const runs: string[] = [];
  const process = async ({ data }: { data: { url: string } }) => {
    runs.push(data.url);
    if (Number(/\d+$/.exec(data.url)?.[0]) < DYING) throw new Error('cannot');
  };
  const history = { removeOnComplete: { count: 1 }, removeOnFail: { count: 0 } };
  const worker = new Worker('mixed', process, { connection: redis, concurrency: 20, ...history });
  worker.on('error', () => undefined);
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE);
  await worker.close();
  expect([runs.length, new Set(runs).size]).toEqual([RECORDS, RECORDS]);
  expect(await topic.size(`${topic.topic}.dlq`)).toBe(DYING);
  expect(await jobKeys()).toEqual([]);
});
