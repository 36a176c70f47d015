/** Sluice's host and a real Sidekiq on one Redis: each sees of the other what it would have written itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { defineSidekiqWorker } from '../../src/definition/sidekiq-worker.ts';
import type { Outcome, WorkerContext } from '../../src/definition/worker.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, startSidekiq } from '../support/sidekiq.ts';
import { startSidekiqHost } from '../support/sidekiq-host.ts';

const HOST = fileURLToPath(new URL('./fixtures/sidekiq-process.ts', import.meta.url));
const SOON = { timeout: 20_000, interval: 50 };

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'command', silentLog);
});

beforeEach(async () => {
  await redis.flushall();
});

const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

type Run = (args: readonly unknown[], ctx: WorkerContext) => Outcome | void | Promise<Outcome | void>;
const worker = (sidekiq: string, run: Run) => defineSidekiqWorker<readonly unknown[]>(undefined, { sidekiq, run });

const jidAt = (i: number) => i.toString(16).padStart(24, '0');

function jobText(sidekiq: string, args: string, i: number, fields: object = {}): string {
  const job = {
    retry: true,
    queue: 'default',
    jid: jidAt(i),
    created_at: 1_700_000_000.5,
    enqueued_at: 1_700_000_001.5,
  };
  return `{"class":"${sidekiq}","args":${args},${JSON.stringify({ ...job, ...fields }).slice(1)}`;
}

/** An error that Ruby's class `Fail` raises too. */
class ArgumentError extends Error {}
const fail = worker('Fail', () => {
  throw new ArgumentError('told to fail');
});

interface Entry {
  readonly value: string;
  readonly score: number;
  readonly item: Record<string, unknown>;
}

/** Fails as often as the job itself says. */
const FLAKY = `
class Flaky
  include Sidekiq::Worker
  def perform(n)
    sleep rand * 0.004
  end
end
class Failing
  def call(_worker, job, _queue)
    raise ArgumentError, "told to fail" if job.fetch("retry_count", -1) + 1 < job.fetch("failures", 0)
    yield
  end
end
Sidekiq.configure_server { |config| config.server_middleware { |chain| chain.add Failing } }
Sidekiq.logger.level = Logger::FATAL`;

const DUE_NOW = `
for _, job in ipairs(redis.call('ZRANGE', 'retry', 0, -1)) do redis.call('ZADD', 'retry', 'XX', 1, job) end`;

/** All sorted sets and statistics as Ruby's API shows them. */
const SETS = `
  entries = ->(set) { set.map { |job| {value: job.value, score: job.score, item: job.item, error: job.error?, backtrace: job.error_backtrace&.size} } }
  stats = Sidekiq::Stats.new
  {retry: entries.(Sidekiq::RetrySet.new), dead: entries.(Sidekiq::DeadSet.new), schedule: entries.(Sidekiq::ScheduledSet.new),
   queue: Sidekiq::Queue.new.map(&:value), processed: stats.processed, failed: stats.failed,
   history: Sidekiq::Stats::History.new(1).processed.values, failures: Sidekiq::Stats::History.new(1).failed.values}`;
interface Sets {
  readonly retry: Entry[];
  readonly dead: Entry[];
  readonly queue: string[];
  readonly processed: number;
  readonly failed: number;
}
const sets = () => runRuby<Sets>(server, SETS);

describe('a job that fails', () => {
  const JOBS = [
    jobText('Fail', '[null, 1.0, 9007199254740993, [], {}, "za\\u017c\\u00f3\\u0142\\u0107"]', 1),
    jobText('Fail', '[]', 2, {
      retry: 3,
      retry_count: 1,
      failed_at: 1_700_000_002.25,
      error_message: 'x',
      error_class: 'Y',
    }),
    jobText('Fail', '[]', 3, { retry: 0 }),
    jobText('Fail', '[]', 4, {
      retry: 2,
      retry_count: 1,
      failed_at: 1_700_000_002.25,
      tags: ['a'],
      custom: { b: [1] },
    }),
    jobText('Fail', '[]', 5, { retry: false }),
    jobText('Fail', '[]', 6, { retry: 0, dead: false }),
    jobText('Fail', '[]', 7, { retry_queue: 'slow' }),
    jobText('Fail', '[]', 8, { backtrace: 2 }),
    jobText('Fail', '[]', 9, { retry: null }),
    jobText('Fail', '[]', 10, { retry: '7' }),
    jobText('Nobody', '[1]', 11),
    jobText('Nobody', '[1]', 12, { retry: 0 }),
    'no json',
  ];

  async function failIn(
    host: () => Promise<{ stop(): Promise<unknown> }>,
  ): Promise<Sets & { startedS: number; endedS: number }> {
    await redis.flushall();
    await redis.lpush('queue:default', ...JOBS);
    const startedS = Date.now() / 1_000;
    const running = await host();
    await vi.waitFor(async () => expect((await redis.zcard('retry')) + (await redis.zcard('dead'))).toBe(11), SOON);
    await running.stop();
    return { ...(await sets()), startedS, endedS: Date.now() / 1_000 };
  }

  it('lies there as if Ruby had failed with it, field by field', async () => {
    const ruby = await failIn(() => startSidekiq(server));
    const node = await failIn(async () => {
      const host = await startSidekiqHost(redis, [fail]);
      return { stop: () => host.stop(5_000) };
    });
    expect([node.processed, node.failed]).toEqual([ruby.processed, ruby.failed]);
    expect(Object.keys(node)).toEqual(Object.keys(ruby));
    for (const set of ['retry', 'dead'] as const) {
      const [there, here] = [ruby[set], node[set]].map(
        (entries) => new Map(entries.map((each) => [keyOf(each), each])),
      );
      expect([...(here as Map<string, Entry>).keys()].sort()).toEqual([...(there as Map<string, Entry>).keys()].sort());
      for (const [key, theirs] of there as Map<string, Entry>) {
        compare(set, theirs, (here as Map<string, Entry>).get(key) as Entry, node);
      }
    }
  });

  const keyOf = ({ item, value }: Entry) => String(item.jid ?? value);
  const shape = (item: Record<string, unknown>) => Object.entries(item).map(([name, value]) => [name, typeof value]);

  /** Equal but for the moments, the wait's luck, and the words about a class that is not there. */
  function compare(
    set: string,
    theirs: Entry,
    ours: Entry,
    { startedS, endedS }: { startedS: number; endedS: number },
  ) {
    expect(shape(ours.item).sort()).toEqual(shape(theirs.item).sort());
    const settle = ({ item }: Entry) => {
      const { failed_at, retried_at, error_backtrace, error_message, ...rest } = item;
      return { ...rest, error_message: String(error_message).split(/[;\n]/)[0] };
    };
    expect(settle(ours)).toEqual(settle(theirs));
    expect(Object.keys(ours.item)).toEqual(Object.keys(theirs.item));
    const count = Number(ours.item.retry_count);
    const failedS = Number(ours.item.retried_at ?? ours.item.failed_at ?? startedS);
    expect(failedS).toBeGreaterThanOrEqual(startedS - 0.01);
    expect(failedS).toBeLessThanOrEqual(endedS);
    if (ours.item.retried_at) expect(ours.item.failed_at).toBe(theirs.item.failed_at);
    const [least, most] = set === 'dead' ? [0, 0] : [count ** 4 + 15, count ** 4 + 15 + 9 * (count + 1)];
    expect(ours.score).toBeGreaterThanOrEqual(startedS + least);
    expect(ours.score).toBeLessThanOrEqual(endedS + most);
    expect(Reflect.get(ours, 'backtrace')).toBe(Reflect.get(theirs, 'backtrace'));
    expect(Reflect.get(ours, 'error')).toBe(Reflect.get(theirs, 'error'));
  }

  it('in Node succeeds in Ruby, and the other way round', async () => {
    await redis.lpush('queue:default', jobText('Note', '[1.0, 9007199254740993]', 1));
    const host = await startSidekiqHost(redis, [
      worker('Note', () => ({ kind: 'retry', reason: 'not here', afterMs: 10 })),
    ]);
    await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(1), SOON);
    await host.stop(1_000);
    const sidekiq = await startSidekiq(server);
    await vi.waitFor(() => expect(sidekiq.runs('ended')).toHaveLength(1), SOON);
    const [run] = sidekiq.runs('ended');
    expect(run?.args.map(({ inspect }) => inspect)).toEqual(['1.0', '9007199254740993']);
    expect(run?.job).toMatchObject({ retry_count: 0, error_message: 'not here', error_class: 'Sluice::Retry' });

    await redis.lpush('queue:default', jobText('Fail', '[]', 2));
    await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(1), SOON);
    await sidekiq.stop();
    const attempts: number[] = [];
    await startSidekiqHost(redis, [worker('Fail', (_args, { attempt }) => void attempts.push(attempt))]);
    const [text = ''] = await redis.zrange('retry', '0', '-1');
    await redis.zadd('retry', '1', text);
    await vi.waitFor(() => expect(attempts).toEqual([2]), SOON);
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('4'), SOON);
  });
});

describe('in the eyes of Ruby', () => {
  const PROCESSES = `
    processes = Sidekiq::ProcessSet.new.map { |it| {identity: it.identity, queues: it.queues, labels: it.labels, tag: it.tag,
      concurrency: it["concurrency"], busy: it["busy"], hostname: it["hostname"], quiet: it.stopping?, rss: it["rss"], started: it["started_at"]} }
    work = Sidekiq::Workers.new.map { |process, thread, it| {process: process, thread: thread, queue: it["queue"], jid: it["payload"]["jid"], run_at: it["run_at"]} }
    {processes: processes, work: work, busy: Sidekiq::Stats.new.workers_size}`;
  const look = () =>
    runRuby<{ processes: Record<string, unknown>[]; work: Record<string, unknown>[]; busy: number }>(server, PROCESSES);

  it('the host is a process that shows what it runs, becomes quiet, and stops', async () => {
    const asked: string[] = [];
    const ran: unknown[] = [];
    const hold = worker('Hold', ([n]) => {
      ran.push(n);
      return new Promise<void>(() => undefined);
    });
    const host = await startSidekiqHost(redis, [hold], { onTerm: () => void asked.push('TERM'), concurrency: 7 });
    await redis.lpush('queue:default', jobText('Hold', '[1]', 1), jobText('Hold', '[2]', 2));
    await vi.waitFor(async () => expect((await look()).busy).toBe(2), SOON);
    const { processes, work } = await look();
    expect(processes).toEqual([
      {
        identity: expect.stringMatching(/^[^:]+:\d+:[0-9a-f]{12}$/),
        ...{ queues: ['default'], labels: ['sluice'], tag: 'sluice', concurrency: 7, busy: 2, quiet: false },
        ...{ hostname: expect.any(String), rss: expect.any(Number), started: expect.any(Number) },
      },
    ]);
    const process = processes[0]?.identity;
    // Those that began in one second have no order.
    expect(work.toSorted((a, b) => String(a.jid).localeCompare(String(b.jid)))).toEqual(
      [1, 2].map((i) => ({
        process,
        thread: expect.any(String),
        queue: 'default',
        jid: jidAt(i),
        run_at: expect.any(Number),
      })),
    );

    await runRuby(server, 'Sidekiq::ProcessSet.new.first.quiet!; 1');
    await vi.waitFor(async () => expect((await look()).processes[0]).toMatchObject({ quiet: true }), SOON);
    await redis.lpush('queue:default', jobText('Hold', '[3]', 3));
    await runRuby(server, 'Sidekiq::ProcessSet.new.first.dump_threads; 1');
    await runRuby(server, 'Sidekiq::ProcessSet.new.first.stop!; 1');
    await vi.waitFor(() => expect(asked).toEqual(['TERM']), SOON);
    expect(ran).toEqual([1, 2]);
    await host.stop(50);
    expect((await look()).processes).toEqual([]);
    expect(await runRuby(server, 'Sidekiq::Queue.new.map(&:jid).sort')).toEqual([1, 2, 3].map(jidAt));
  });

  it('what lies dead can be run again, and what is to be tried again can be run now', async () => {
    const attempts: number[] = [];
    await redis.lpush('queue:default', jobText('Hold', '[1.0]', 1));
    await startSidekiqHost(redis, [
      worker('Hold', (_args, { attempt }) => {
        attempts.push(attempt);
        if (attempts.length < 3) throw new Error('no');
      }),
    ]);
    await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(1), SOON);
    await runRuby(server, 'Sidekiq::RetrySet.new.first.retry; 1');
    await vi.waitFor(async () => expect(await redis.get('stat:failed')).toBe('2'), SOON);
    await runRuby(server, 'Sidekiq::RetrySet.new.first.kill; 1');
    expect(await redis.zcard('dead')).toBe(1);
    await runRuby(server, 'Sidekiq::DeadSet.new.first.retry; 1');
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('3'), SOON);
    // Ruby takes back the count of a retry that an operator asks for.
    expect(attempts).toEqual([1, 1, 1]);
  });
});

it('does each job at least once though a host is killed with some of them', async () => {
  const MANY = 400;
  const host = (kill: boolean) => {
    const child = spawn(process.execPath, ['--conditions=sluice-source', HOST, server.url, '20'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    const began = new Set<number>();
    child.stdout.on('data', (data: Buffer) => {
      for (const line of data.toString().trim().split('\n')) began.add(Number(line));
      if (kill && began.size > 40) child.kill('SIGKILL');
    });
    return { began, ended: new Promise((resolve) => child.once('close', resolve)) };
  };
  const jobs = Array.from({ length: MANY }, (_, i) => jobText('Hold', `[${i}, 20]`, i));
  await redis.lpush('queue:default', ...jobs);
  const first = host(true);
  await first.ended;
  const held = await Promise.all((await redis.smembers('sluice:sidekiq:private')).map((list) => redis.llen(list)));
  expect(held.reduce((sum, each) => sum + each, 0)).toBeGreaterThan(0);
  const second = host(false);
  await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe(String(MANY)), {
    timeout: 40_000,
    interval: 100,
  });
  expect(new Set([...first.began, ...second.began]).size).toBe(MANY);
  expect(await redis.llen('queue:default')).toBe(0);
});

it('shares a queue and the retries with Ruby: 10,000 jobs that fail at random are each done once, or dead by their rule', async () => {
  const MANY = 10_000;
  const RETRIES = 2;
  /** How often a job fails before it would be done: in Ruby as here, by its own number. */
  const failures = (n: number) => [0, 0, 0, 1, 2, 3][(n * 7919) % 6] as number;
  const done = new Map<number, number>();
  const runs = { node: 0, ruby: 0 };
  const flaky = worker('Flaky', async ([n], { attempt }) => {
    runs.node += 1;
    await systemClock.sleep(Math.random() * 4);
    if (attempt <= failures(Number(n))) return { kind: 'retry', reason: 'told to fail', afterMs: 0 };
    done.set(Number(n), (done.get(Number(n)) ?? 0) + 1);
    return undefined;
  });
  const sidekiq = await startSidekiq(server, { concurrency: 10, code: FLAKY });
  await startSidekiqHost(redis, [flaky], { concurrency: 10 });
  const jobs = Array.from({ length: MANY }, (_, n) =>
    jobText('Flaky', `[${n}]`, n, { retry: RETRIES, failures: failures(n) }),
  );
  for (let i = 0; i < MANY; i += 1_000) await redis.lpush('queue:default', ...jobs.slice(i, i + 1_000));

  const expected = Array.from({ length: MANY }, (_, n) => failures(n));
  const failed = expected.reduce((sum, times) => sum + Math.min(times, RETRIES + 1), 0);
  const finished = expected.filter((times) => times <= RETRIES).length;
  await vi.waitFor(
    async () => {
      // Sidekiq waits 15 seconds and more before it tries again; nobody wants to here.
      await redis.eval(DUE_NOW, 0);
      expect(await redis.zcard('dead')).toBe(MANY - finished);
      expect(await redis.get('stat:processed')).toBe(String(finished + failed));
    },
    { timeout: 150_000, interval: 500 },
  );
  for (const run of sidekiq.runs()) {
    if (run.phase === 'began') runs.ruby += 1;
    const n = Number(run.args[0]?.value);
    if (run.phase === 'ended') done.set(n, (done.get(n) ?? 0) + 1);
  }
  expect(runs.node).toBeGreaterThan(MANY / 10);
  expect(runs.ruby).toBeGreaterThan(MANY / 10);
  expect(runs.node + runs.ruby).toBe(finished + failed);
  expect(done.size).toBe(finished);
  expect([...done].filter(([n, times]) => times !== 1 || failures(n) > RETRIES)).toEqual([]);
  const dead = await runRuby<number[]>(server, 'Sidekiq::DeadSet.new.map { |job| job.args[0] }');
  expect([...dead].sort((a, b) => a - b)).toEqual(expected.flatMap((times, n) => (times > RETRIES ? [n] : [])));
  const stats = await sets();
  expect(stats).toMatchObject({ processed: finished + failed, failed, retry: [], queue: [] });
}, 200_000);
