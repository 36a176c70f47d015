/**
 * The differential contract of draining: jobs are taken and completed by BullMQ's own Worker, one by one, and by our
 * scripts, many at once, on equal queues; then every key of the two is compared. Guards take-many-bullmq.lua and
 * finish-many-bullmq.lua, and their ways through BullMQ's text.
 */
import { FlowProducer, type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { type BullSource, createBullSource, isTestedSource } from '../../src/queue/bullmq/source.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sourcesKey } from '../../src/redis/keys.ts';
import { contentOf } from '../support/bull-content.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const PREFIX = 'bull:mail:';
const LOCK_MS = 30_000;
const LONG_AGO = 1_700_000_000_000;
const METRICS_POINTS = 5;

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'worker', silentLog);
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** What is done to a queue, in calls that both sides know. A code is BullMQ's of a completion. */
interface Drainer {
  /** Ids of the jobs that were taken, all locked with `token`. */
  take(most: number, token: string): Promise<string[]>;
  complete(ids: readonly string[], token: string, keep?: string): Promise<number[]>;
}

interface Scenario {
  /** Fills the queue. */
  readonly given: (queue: Queue) => Promise<unknown>;
  readonly when: (drainer: Drainer) => Promise<unknown>;
}

let made = 0;
function add(queue: Queue, options: JobsOptions = {}) {
  made += 1;
  return queue.add('acme.v1.Test', { text: 'ünï "x"' }, { jobId: `job-${made}`, timestamp: LONG_AGO, ...options });
}

async function addEach(queue: Queue, ...options: JobsOptions[]): Promise<void> {
  made = 0;
  for (const each of options) await add(queue, each);
}

const takeTwo = (drainer: Drainer) => drainer.take(2, 'a');
const takeAll = (drainer: Drainer) => drainer.take(9, 'a');
const drain = async (drainer: Drainer) => {
  const ids = await drainer.take(9, 'a');
  return [ids, await drainer.complete(ids, 'a')];
};
const drainKeeping = (keep: string) => async (drainer: Drainer) => {
  const ids = await drainer.take(9, 'a');
  return [ids, await drainer.complete(ids, 'a', keep)];
};

const WAITING = (queue: Queue) => addEach(queue, {}, {}, {});

const SCENARIOS: Record<string, Scenario> = {
  'an empty queue': { given: async () => undefined, when: takeTwo },
  'some of the waiting jobs': { given: WAITING, when: takeTwo },
  'waiting jobs whose marker another worker has taken': {
    given: async (queue) => {
      await WAITING(queue);
      await redis.del(queue.toKey('marker'));
    },
    when: takeTwo,
  },
  'more jobs than wait': { given: WAITING, when: takeAll },
  'as many as wait': { given: WAITING, when: (drainer) => drainer.take(3, 'a') },
  'jobs in two calls': {
    given: WAITING,
    when: async (drainer) => [await takeTwo(drainer), await drainer.take(2, 'b')],
  },
  'prioritized jobs': {
    given: (queue) => addEach(queue, { priority: 5 }, { priority: 1 }, { priority: 5 }),
    when: takeTwo,
  },
  'waiting jobs before prioritized ones': {
    given: (queue) => addEach(queue, { priority: 5 }, {}, { priority: 1 }, {}),
    when: (drainer) => drainer.take(3, 'a'),
  },
  'more jobs than are prioritized': { given: (queue) => addEach(queue, { priority: 5 }, {}), when: takeAll },
  'the newest first': { given: (queue) => addEach(queue, {}, { lifo: true }, { lifo: true }), when: takeTwo },
  'delayed jobs that are due': {
    given: (queue) => addEach(queue, { delay: 300 }, { delay: 100 }, {}, { delay: 100, priority: 3 }),
    when: takeAll,
  },
  'delayed jobs that are not due': {
    given: (queue) => addEach(queue, { delay: 1e12 }, {}, { delay: 2e12 }),
    when: takeAll,
  },
  'a paused queue': {
    given: async (queue) => {
      await addEach(queue, {}, { priority: 2 }, { delay: 100 });
      await queue.pause();
    },
    when: takeAll,
  },
  'a queue with a concurrency of its own': {
    given: async (queue) => {
      await addEach(queue, {}, {}, {});
      await queue.setGlobalConcurrency(2);
    },
    when: takeAll,
  },
  'a queue with a rate limit': {
    given: async (queue) => {
      await addEach(queue, {}, {}, {});
      await queue.setGlobalRateLimit(2, 600_000);
    },
    when: async (drainer) => [await takeAll(drainer), await takeAll(drainer)],
  },
  'an id without a job': {
    given: async (queue) => {
      await add(queue, { jobId: 'real' });
      await redis.rpush(queue.toKey('wait'), 'ghost');
    },
    when: takeAll,
  },
  'a mark of an older version': {
    given: async (queue) => {
      await add(queue, { jobId: 'real' });
      await redis.rpush(queue.toKey('wait'), '0:1700000000000');
    },
    when: (drainer) => drainer.take(1, 'a'),
  },
  'a job that was taken before': {
    given: async (queue) => {
      await addEach(queue, { attempts: 3 });
      await redis.hset(queue.toKey('job-1'), { ats: 2, atm: 1, stc: 1, stacktrace: '["at x"]', failedReason: 'x' });
    },
    when: drain,
  },
  'completed jobs that are removed': { given: WAITING, when: drainKeeping('0') },
  'completed jobs that are kept': { given: WAITING, when: drainKeeping('-1') },
  'completed jobs of which the newest is kept': { given: WAITING, when: drainKeeping('{"count":1}') },
  'completed jobs that are kept for a time': {
    given: async (queue) => {
      await WAITING(queue);
      await redis.zadd(queue.toKey('completed'), LONG_AGO, 'old');
      await redis.hset(queue.toKey('old'), 'name', 'x');
    },
    when: drainKeeping('{"age":3600}'),
  },
  'completed jobs with logs': {
    given: async (queue) => {
      const job = await add(queue, { jobId: 'logged' });
      await job.log('a line');
    },
    when: drainKeeping('0'),
  },
  'some completed, others still active': {
    given: WAITING,
    when: async (drainer) => {
      const [first = '', ...others] = await takeAll(drainer);
      return [await drainer.complete(others, 'a'), await drainer.complete([first], 'a')];
    },
  },
  'completed while others wait': {
    given: WAITING,
    when: async (drainer) => drainer.complete(await takeTwo(drainer), 'a'),
  },
  'minutes of metrics that have passed': {
    given: async (queue) => {
      await WAITING(queue);
      await redis.hset(queue.toKey('metrics:completed'), { count: 7, prevTS: LONG_AGO, prevCount: 4 });
      await redis.rpush(queue.toKey('metrics:completed:data'), '1', '2', '3');
    },
    when: drain,
  },
  'jobs that others suspect to be stalled': {
    given: WAITING,
    when: async (drainer) => {
      const ids = await takeAll(drainer);
      await redis.sadd(`${PREFIX}stalled`, ...ids);
      return drainer.complete(ids.slice(1), 'a');
    },
  },
  'a job whose lock is of another worker': {
    given: WAITING,
    when: async (drainer) => {
      const ids = await takeAll(drainer);
      await redis.set(`${PREFIX}${ids[1]}:lock`, 'of another');
      return drainer.complete(ids, 'a');
    },
  },
  'a job that is not active any more': {
    given: WAITING,
    when: async (drainer) => {
      const ids = await takeAll(drainer);
      await redis.lrem(`${PREFIX}active`, 1, ids[0] ?? '');
      return drainer.complete(ids, 'a');
    },
  },
  'a job that is gone': {
    given: WAITING,
    when: async (drainer) => {
      const ids = await takeAll(drainer);
      await redis.del(`${PREFIX}${ids[0]}`);
      return drainer.complete(ids, 'a');
    },
  },
  'a deduplicated job': {
    given: (queue) => addEach(queue, { deduplication: { id: 'one' } }, { deduplication: { id: 'one' } }, {}),
    when: drain,
  },
  'a deduplicated job that leaves nothing behind, with an id as of a job from Kafka': {
    given: (queue) => addEach(queue, { jobId: 'k~t~0~0~1', deduplication: { id: 'one' } }),
    when: drainKeeping('0'),
  },
  'the last of a deduplicated job, made when it completes': {
    given: (queue) => addEach(queue, {}),
    when: async (drainer) => {
      const queue = new Queue('mail', { connection: redis });
      const deduplication = { id: 'one', keepLastIfActive: true };
      await queue.add('x', { turn: 1 }, { jobId: 'first', timestamp: LONG_AGO, deduplication });
      const ids = await takeAll(drainer);
      await queue.add('x', { turn: 2 }, { jobId: 'second', timestamp: LONG_AGO, deduplication });
      return drainer.complete(ids, 'a');
    },
  },
  'children, their parent, and the parent again': {
    given: async () => {
      const flow = new FlowProducer({ connection: redis });
      const child = (jobId: string) => ({
        name: 'child',
        queueName: 'mail',
        data: {},
        opts: { jobId, timestamp: LONG_AGO },
      });
      await flow.add({
        name: 'parent',
        queueName: 'mail',
        opts: { jobId: 'parent', timestamp: LONG_AGO },
        children: [child('c-1'), child('c-2')],
      });
    },
    when: async (drainer) => {
      const children = await takeAll(drainer);
      const codes = await drainer.complete(children, 'a', '0');
      const parents = await drainer.take(9, 'b');
      return [children, codes, parents, await drainer.complete(parents, 'b', '0')];
    },
  },
  'a parent whose children are not finished': {
    given: WAITING,
    when: async (drainer) => {
      const ids = await takeAll(drainer);
      await redis.sadd(`${PREFIX}${ids[0]}:dependencies`, 'bull:mail:child');
      return drainer.complete(ids, 'a', '0');
    },
  },
};

describe.each([
  ['our scripts', false],
  ["BullMQ's own inside ours", true],
])('%s', (_name, isStock) => {
  it.each(Object.entries(SCENARIOS))('does what BullMQ does: %s', async (_scenario, scenario) => {
    const stock = await outcomeOf(scenario, stockDrainer);
    const ours = await outcomeOf(scenario, () => ourDrainer(isStock));
    expect(ours).toEqual(stock);
  });
});

it('is the BullMQ that ours were compared with', () => expect(isTestedSource()).toBe(true));

it('completes a job whose lock ran out while nobody else took it, which BullMQ does not', async () => {
  for (const isStock of [false, true]) {
    await redis.flushall();
    const queue = new Queue('mail', { connection: redis });
    await addEach(queue, {}, {});
    const source = sourceOf(isStock);
    const { jobs } = await source.take(2, 'a');
    await redis.del(`${PREFIX}job-1:lock`);
    expect(await source.complete(jobs.map(({ id }) => completion(id, 'a', '0')))).toEqual([0, 0]);
    expect(await redis.keys(`${PREFIX}job-*`)).toEqual([]);
  }
});

it('lets nothing that is wrong with one job concern the others', async () => {
  await redis.flushall();
  const queue = new Queue('mail', { connection: redis });
  await addEach(queue, {}, {}, {});
  await redis.del(`${PREFIX}job-2`);
  await redis.rpush(`${PREFIX}job-2`, 'a list');
  const source = sourceOf(false);
  const { jobs } = await source.take(9, 'a');
  expect(jobs.map(({ id }) => id)).toEqual(['job-1', 'job-3']);
  const answers = await source.complete(['job-1', 'job-2', 'job-3'].map((id) => completion(id, 'a', '0')));
  expect(answers).toEqual([0, expect.stringContaining('WRONGTYPE'), 0]);
});

it('takes jobs in whose fields anything is, each as it is', async () => {
  await redis.flushall();
  const queue = new Queue('mail', { connection: redis });
  const put = async (id: string, fields: Record<string, string | number>) => {
    await queue.add('acme.v1.Test', {}, { jobId: 'model', timestamp: LONG_AGO });
    await redis.rename(`${PREFIX}model`, `${PREFIX}${id}`);
    for (const [name, value] of Object.entries(fields)) await redis.hset(`${PREFIX}${id}`, name, value);
    await redis.lrem(`${PREFIX}wait`, 0, 'model');
    await redis.lpush(`${PREFIX}wait`, id);
  };
  const strange: [string, Record<string, string | number>][] = [
    ['plain', {}],
    ['k~t~0~0~1', { data: '"a\0b"' }],
    ['k~t~0~0~2', {}],
    ['nul\0in the id', {}],
    ['k~nul\0~0~0~3', {}],
    ['k~t~0~0~4', { name: '\0' }],
    ['k~t~0~0~5', { opts: '{"a":"\0"}' }],
    ['k~t~0~0~6', { timestamp: '' }],
    ['k~t~0~0~7', { timestamp: '\0', data: 'ünï' }],
    ['k~t~0~0~8', { data: '' }],
    ['taken', { ats: 3 }],
    ['k~t~0~0~9', {}],
  ];
  for (const [id, fields] of strange) await put(id, fields);
  const { jobs } = await sourceOf(false).take(strange.length, 'a');
  expect(jobs.map(({ id }) => id)).toEqual(strange.map(([id]) => id));
  for (const { id, raw } of jobs) expect(await redis.hgetall(`${PREFIX}${id}`)).toMatchObject(withoutTime(raw));
});

it('takes ids that only look like those of jobs from Kafka for what they are', async () => {
  await redis.flushall();
  const queue = new Queue('mail', { connection: redis });
  const ids = ['k~t~0~0~1', 'k~t~0~0~x', 'k~t~0~0~', 'k~', 'k~t~0~0~1a', 'k~t~0~0~abcd1234~5', 'k~t~0~0~2'];
  for (const jobId of ids) await queue.add('acme.v1.Test', {}, { jobId });
  const source = sourceOf(false);
  const { jobs } = await source.take(9, 'a');
  expect(jobs.map(({ id }) => id)).toEqual(ids);
  expect(await source.complete(ids.map((id) => completion(id, 'a', '0')))).toEqual(ids.map(() => 0));
});

describe('jobs from Kafka that end together', () => {
  const IDS = Array.from({ length: 100 }, (_, i) => i + 1).map((offset) => `k~t~0~0~${offset}`);
  const early = IDS.slice(0, 9);
  const [, second = '', third = ''] = IDS;
  const last = IDS.at(-1) as string;

  async function completed(isStock: boolean, ids: readonly string[], before: () => Promise<unknown>) {
    await redis.flushall();
    await redis.sadd(`${sourcesKey()}:k~t~0~0~`, 'sluice:ledger:of-nobody');
    const queue = new Queue('mail', { connection: redis });
    for (const jobId of IDS) await queue.add('acme.v1.Test', {}, { jobId });
    const source = sourceOf(isStock);
    await source.take(IDS.length, 'a');
    await redis.sadd(`${PREFIX}stalled`, ...IDS);
    await before();
    const codes = await source.complete(ids.map((id) => completion(id, 'a', '0')));
    const { events, ...content } = await contentOf(redis, PREFIX);
    const told = (events as { value: readonly string[][] }).value.map((fields) => fields.join(' ')).sort();
    return { codes, told, content: withoutTimes(content) };
  }

  const untouched = async () => {};
  it.each([
    ['all', IDS, untouched],
    ['all, in another order', [...IDS].reverse(), untouched],
    ['those that were taken first', [...early].reverse(), untouched],
    ['those that were taken last', IDS.slice(-9), untouched],
    ['few', [third, second], untouched],
    ['the first and the last', [...early, last], untouched],
    ['every other one', IDS.filter((_, i) => i % 2 === 0), untouched],
    ['some of the first', IDS.slice(0, 60).filter((_, i) => i % 6 === 0), untouched],
    ["one whose lock is another's", early, () => redis.set(`${PREFIX}${second}:lock`, 'b')],
    ['one that is gone', early, () => redis.del(`${PREFIX}${second}`, `${PREFIX}${second}:lock`)],
    ['one that is not active any more', early, () => redis.lrem(`${PREFIX}active`, 1, second)],
  ])('%s', async (_, ids, before) => {
    const ours = await completed(false, ids, before);
    expect(ours).toEqual(await completed(true, ids, before));
    expect(ours.codes).toContain(0);
  });

  it('one of them twice, for which no other leaves', async () => {
    const { codes } = await completed(false, [...early, second], untouched);
    const active = await redis.lrange(`${PREFIX}active`, 0, -1);
    expect([codes, active]).toEqual([[...early.map(() => 0), -3], IDS.slice(early.length).reverse()]);
  });
});

it('takes nothing, and loses nothing, where a key of the queue is of another type', async () => {
  await redis.flushall();
  const queue = new Queue('mail', { connection: redis });
  await addEach(queue, {}, {});
  await redis.set(`${PREFIX}active`, 'a text');
  await expect(sourceOf(false).take(2, 'a')).rejects.toThrow('WRONGTYPE');
  expect(await redis.llen(`${PREFIX}wait`)).toBe(2);
});

it('takes and completes at a full memory', async () => {
  await redis.flushall();
  const queue = new Queue('mail', { connection: redis });
  await addEach(queue, {}, {});
  await redis.config('SET', 'maxmemory', '1');
  try {
    const source = sourceOf(false);
    const { jobs } = await source.take(2, 'a');
    expect(await source.complete(jobs.map(({ id }) => completion(id, 'a', '0')))).toEqual([0, 0]);
  } finally {
    await redis.config('SET', 'maxmemory', '0');
  }
});

async function outcomeOf({ given, when }: Scenario, open: () => Drainer): Promise<unknown> {
  await redis.flushall();
  made = 0;
  const queue = new Queue('mail', { connection: redis });
  await queue.waitUntilReady();
  await given(queue);
  const drainer = open();
  const answers = await when(drainer);
  return { answers, content: withoutTimes(await contentOf(redis, PREFIX)) };
}

function sourceOf(isStock: boolean): BullSource {
  return createBullSource({
    connection: redis,
    queue: 'mail',
    keyPrefix: PREFIX,
    lockMs: LOCK_MS,
    metricsPoints: METRICS_POINTS,
    isStock,
  });
}

const completion = (id: string, token: string, keep: string) => ({ id, token, returnValue: '{"n":1}', keep });

function ourDrainer(isStock: boolean): Drainer {
  const source = sourceOf(isStock);
  return {
    async take(most, token) {
      const { jobs } = await source.take(most, token);
      for (const { id, raw } of jobs) expect(await redis.hgetall(`${PREFIX}${id}`)).toMatchObject(withoutTime(raw));
      return jobs.map(({ id }) => id);
    },
    complete: async (ids, token, keep = '-1') =>
      (await source.complete(ids.map((id) => completion(id, token, keep)))) as number[],
  };
}

function withoutTime(raw: Readonly<Record<string, string>>): Record<string, string> {
  const { processedOn: _time, ...others } = raw;
  return others;
}

function stockDrainer(): Drainer {
  const settings = {
    connection: redis,
    autorun: false,
    lockDuration: LOCK_MS,
    metrics: { maxDataPoints: METRICS_POINTS },
  };
  const worker = new Worker('mail', undefined, settings);
  const held = new Map<string, Job>();
  return {
    async take(most, token) {
      const ids: string[] = [];
      while (ids.length < most) {
        const job = await worker.getNextJob(token, { block: false });
        if (job === undefined) break;
        held.set(job.id ?? '', job);
        ids.push(job.id ?? '');
      }
      return ids;
    },
    async complete(ids, token, keep = '-1') {
      const codes: number[] = [];
      for (const id of ids) {
        const job = held.get(id) as Job;
        job.opts.removeOnComplete = keep.startsWith('{') ? JSON.parse(keep) : Number(keep);
        const code = await job.moveToCompleted({ n: 1 }, token, false).then(
          () => 0,
          (error) => error.code as number,
        );
        codes.push(code);
      }
      return codes;
    },
  };
}

/**
 * Times of the present are replaced; what is long ago or far ahead was given. The order of what finished within the same
 * moment is nobody's promise.
 */
function withoutTimes(content: Record<string, unknown>): unknown {
  const isNow = (text: string) => /^\d{13}$/.test(text) && Math.abs(Number(text) - Date.now()) < 60_000;
  const plain = JSON.parse(JSON.stringify(content), (_key, value: unknown) =>
    typeof value === 'string' && isNow(value) ? 'now' : value,
  ) as Record<string, { value: string[] }>;
  plain.completed?.value.sort();
  return plain;
}
