/** What ruby/sluice_sidekiq.rb writes into the ledger, in a real Sidekiq and beside the bridge's own keys. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, type Sidekiq, startSidekiq } from '../support/sidekiq.ts';
import { ROOT } from '../support/sluice.ts';

const SOON = { timeout: 20_000, interval: 20 };
const FILE = join(ROOT, 'ruby', 'sluice_sidekiq.rb');
/** The notes of runs are written outside of it: what they say, it has passed. */
const INSTALLED = `
  class WaitThenFail < WaitFor
    def perform(*)
      super
      raise "told to fail"
    end
  end

  class FailInBytes < Note
    def perform(*)
      raise "caf\\xE9".b
    end
  end

  # As rate limiters and some middleware do it.
  class PushedAgain < WaitFor
    def perform(name = nil)
      name ? super : Sidekiq::Client.push(JOBS[jid].merge("args" => ["go"]))
    end

    JOBS = {}
  end
  class Remember
    def call(_worker, job, _queue)
      PushedAgain::JOBS[job["jid"]] = job
      yield
    end
  end

  class Discarded < Fail
    sidekiq_retry_in { :discard }
  end
  class DiscardedLast < Fail
    sidekiq_retries_exhausted { :discard }
  end

  if Sidekiq::VERSION < "7"
  require "active_job"
  ActiveJob::Base.queue_adapter = :sidekiq
  ActiveJob::Base.logger = nil
  class Invoice < ActiveJob::Base
    retry_on ArgumentError, wait: 1.hour

    def perform(number)
      raise ArgumentError, "not now" if executions == 1
    end
  end
  end

  require ${JSON.stringify(FILE)}
  Sidekiq.configure_server do |config|
    Sluice::Sidekiq.install(config)
    config.server_middleware { |chain| chain.prepend Noting::Middleware }
    config.server_middleware { |chain| chain.add Remember }
  end
`;
/** Another than Debian's may stand first on the path. */
const VERSION = Number.parseFloat(
  execFileSync('ruby', ['-e', 'require "sidekiq/version"; print Sidekiq::VERSION'], { encoding: 'utf8' }),
);
const PREFIX = 'k~acme.orders~0~3~';
const LEDGER = 'sluice:ledger:kc:shop:acme.orders:3';
const CHUNK = 512;

let server: TestRedis;
let redis: Redis;
let sidekiq: Sidekiq;
beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
});
afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});
beforeEach(async () => {
  await redis.flushall();
  sidekiq = await startSidekiq(server, { code: INSTALLED });
});
afterEach(() => sidekiq.kill());

const chunkOf = (offset: number) => Math.floor(offset / CHUNK);
const chunkKey = (offset: number, ledger = LEDGER) => `${ledger}:u:${chunkOf(offset)}:sidekiq`;

/** As the bridge leaves it: entered as unsettled, and found by its source. */
async function enter(offset: number, ledger = LEDGER): Promise<void> {
  await redis.sadd(`sluice:sources:${PREFIX}`, ledger);
  await redis.sadd(chunkKey(offset, ledger), String(offset % CHUNK));
  await redis.zadd(`${ledger}:c`, String(chunkOf(offset)), `${chunkOf(offset)}:sidekiq`);
}

/** Enters the offset and puts its job on the queue. */
async function enqueue(offset: number, job: object): Promise<string> {
  await enter(offset);
  return push({ ...job, sl: { source: `${PREFIX}${offset}`, key: 'customer-7' } });
}

async function push(job: object): Promise<string> {
  const jid = Math.random().toString(16).slice(2).padEnd(24, '0').slice(0, 24);
  const text = JSON.stringify({ retry: true, queue: 'default', jid, created_at: 1.5, enqueued_at: 1.5, ...job });
  await redis.lpush('queue:default', text);
  return jid;
}

const isUnsettled = async (offset: number, ledger = LEDGER) =>
  (await redis.sismember(chunkKey(offset, ledger), String(offset % CHUNK))) === 1;
const settled = (offset: number, ledger?: string) => expect.poll(() => isUnsettled(offset, ledger), SOON).toBe(false);
const moved = (...offsets: number[]) =>
  expect.poll(async () => (await redis.smembers(`${LEDGER}:m`)).map(Number).toSorted(), SOON).toEqual(offsets);
const died = async (offset: number): Promise<Record<string, unknown>> => {
  await expect.poll(() => redis.hexists(`${LEDGER}:x`, String(offset)), SOON).toBe(1);
  return JSON.parse((await redis.hget(`${LEDGER}:x`, String(offset))) as string) as Record<string, unknown>;
};
const through = (jid: string, phase: 'ended' | 'failed' = 'ended') =>
  vi.waitFor(() => expect(sidekiq.runs(phase).map((run) => run.jid)).toContain(jid), SOON);

it('settles what has succeeded, in every ledger that holds it, and nothing else', async () => {
  const other = LEDGER.replace(':shop:', ':audit:');
  const far = 2 ** 40 + 513;
  await enter(7, other);
  await enter(8);
  await enqueue(7, { class: 'Note', args: [] });
  await enqueue(far, { class: 'Note', args: [] });
  await Promise.all([settled(7), settled(7, other), settled(far)]);
  expect(await redis.zrange(`${LEDGER}:c`, '0', '-1')).toEqual(['0:sidekiq']);
  expect(await redis.exists(`${other}:c`, chunkKey(far))).toBe(0);
  expect((await redis.smembers(`${LEDGER}:d`)).toSorted()).toEqual(['0', String(chunkOf(far))]);
  expect(await isUnsettled(8)).toBe(true);
  expect(await redis.exists(`${LEDGER}:m`, `${LEDGER}:x`)).toBe(0);
});

it('says that a failed job goes on, and settles it when it succeeds later', async () => {
  await enqueue(1, { class: 'Fail', args: [1] });
  await moved(1);
  expect(await isUnsettled(1)).toBe(true);
  await runRuby(server, 'Sidekiq::RetrySet.new.retry_all');
  await settled(1);
});

it('tells of a dead job with the text that Sidekiq keeps', async () => {
  const jid = await enqueue(1, { class: 'Fail', args: [], retry: 0 });
  expect(await died(1)).toMatchObject({ jid, error_class: 'ArgumentError', error_message: 'told to fail' });
  expect(await redis.zrange('dead', '0', '-1')).toEqual([await redis.hget(`${LEDGER}:x`, '1')]);
  expect(await isUnsettled(1)).toBe(true);
});

it('tells of a job that is not to be retried, which Sidekiq keeps nowhere', async () => {
  const jid = await enqueue(1, { class: 'Fail', args: [99, 'ü'], retry: false });
  expect(await died(1)).toMatchObject({
    jid,
    args: [99, 'ü'],
    error_class: 'ArgumentError',
    error_message: 'told to fail',
  });
  expect(await redis.exists('dead', 'retry', 'queue:default')).toBe(0);
  expect(await isUnsettled(1)).toBe(true);
});

it('tells of errors in any bytes', async () => {
  await enqueue(1, { class: 'FailInBytes', args: [], retry: false });
  expect(await died(1)).toMatchObject({ error_message: 'caf\ufffd' });
});

it('keeps to a job that is pushed again by itself', async () => {
  const jid = await enqueue(1, { class: 'PushedAgain', args: [] });
  await through(jid);
  await moved(1);
  expect(await isUnsettled(1)).toBe(true);
  sidekiq.let('go');
  await settled(1);
});

it('tells of a job whose class is not there', async () => {
  await enqueue(1, { class: 'NoSuchJob', args: [], retry: false });
  expect(await died(1)).toMatchObject({ error_class: 'NameError' });
});

it.runIf(VERSION >= 7)('tells of a job that asks to be discarded', async () => {
  await enqueue(1, { class: 'Discarded', args: [] });
  expect(await died(1)).toMatchObject({ error_message: 'told to fail' });
  await enqueue(2, { class: 'DiscardedLast', args: [], retry: 0 });
  expect(await died(2)).toMatchObject({ error_message: 'told to fail' });
});

it("tells of a job that is killed in the process of Sidekiq's Web", async () => {
  await enqueue(1, { class: 'Fail', args: [] });
  await moved(1);
  await expect.poll(() => redis.zcard('retry'), SOON).toBe(1);
  const install = `require ${JSON.stringify(FILE)}; Sidekiq.configure_client { |config| Sluice::Sidekiq.install(config) }`;
  await runRuby(server, `${install}; Sidekiq::RetrySet.new.each(&:kill); nil`);
  expect(await died(1)).toMatchObject({ error_class: 'ArgumentError' });
  expect(await redis.exists('sluice:sidekiq:reporters')).toBe(1);
});

it('says that a job which a stop interrupts goes on', async () => {
  await enqueue(1, { class: 'WaitFor', args: ['go'] });
  await vi.waitFor(() => expect(sidekiq.runs('began')).toHaveLength(1), SOON);
  expect(await sidekiq.stop()).toBe(0);
  expect(await redis.llen('queue:default')).toBe(1);
  expect(await redis.smembers(`${LEDGER}:m`)).toEqual(['1']);
  expect(await isUnsettled(1)).toBe(true);
});

it.runIf(VERSION < 7)("keeps to a job through ActiveJob's own retries, which are other jobs for Sidekiq", async () => {
  const class_ = 'ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper';
  const args = [{ job_class: 'Invoice', job_id: '8f6f', queue_name: 'default', arguments: [7], executions: 0 }];
  const jid = await enqueue(1, { class: class_, wrapped: 'Invoice', args });
  await through(jid);
  await moved(1);
  expect(await isUnsettled(1)).toBe(true);
  const [waiting = ''] = await redis.zrange('schedule', '0', '-1');
  expect(/"sl":\{"source":"([^"]*)"/.exec(waiting)?.[1]).toBe(`${PREFIX}1`);
  await runRuby(server, 'Sidekiq::ScheduledSet.new.each(&:add_to_queue); nil');
  await settled(1);
});

it('has told everything when the process has stopped', async () => {
  const offsets = Array.from({ length: 1_500 }, (_, i) => i);
  await Promise.all(offsets.map((offset) => enqueue(offset, { class: 'Note', args: [offset] })));
  await vi.waitFor(() => expect(sidekiq.runs('ended').length).toBeGreaterThan(500), SOON);
  expect(await sidekiq.stop()).toBe(0);
  const left = await Promise.all([0, 1, 2].map((chunk) => redis.scard(chunkKey(chunk * CHUNK))));
  expect(left.reduce((sum, size) => sum + size)).toBe(offsets.length - sidekiq.runs('ended').length);
});

it('neither fails nor delays a job while Redis hangs, and tells it then', async () => {
  const jid = await enqueue(1, { class: 'WaitFor', args: ['go'] });
  await vi.waitFor(() => expect(sidekiq.runs('began')).toHaveLength(1), SOON);
  server.pause();
  sidekiq.let('go');
  await vi.waitFor(() => expect(sidekiq.runs('ended')).toHaveLength(1), { timeout: 1_000, interval: 10 });
  server.resume();
  await settled(1);
  expect(sidekiq.runs('ended')[0]?.jid).toBe(jid);
});

it('tells a Redis that comes back, which does not know its script any more', async () => {
  await enqueue(1, { class: 'Note', args: [] });
  await settled(1);
  await enqueue(2, { class: 'WaitFor', args: ['go'] });
  await vi.waitFor(() => expect(sidekiq.runs('began')).toHaveLength(2), SOON);
  await redis.save();
  await server.kill();
  sidekiq.let('go');
  await vi.waitFor(() => expect(sidekiq.runs('ended')).toHaveLength(2), SOON);
  await vi.waitFor(() => expect(sidekiq.log()).toContain('Sluice cannot be told'), SOON);
  await server.restart();
  await settled(2);
  await redis.config('SET', 'save', '');
});

it('tells a Redis that is full', async () => {
  await enqueue(1, { class: 'WaitThenFail', args: ['go'], retry: false });
  await enqueue(2, { class: 'WaitFor', args: ['go'] });
  await vi.waitFor(() => expect(sidekiq.runs('began')).toHaveLength(2), SOON);
  await redis.config('SET', 'maxmemory', '1mb');
  await expect(redis.set('any', 'thing')).rejects.toThrow('OOM');
  sidekiq.let('go');
  await settled(2);
  expect(await died(1)).toMatchObject({ error_message: 'told to fail' });
  await redis.config('SET', 'maxmemory', '0');
});

it('leaves other jobs and keys of other kinds alone', async () => {
  await redis.set(`sluice:sources:${PREFIX}`, 'not a set');
  const source = `${PREFIX}1`;
  const jids = [
    await push({ class: 'Note', args: [] }),
    await push({ class: 'Note', args: [], sl: { source } }),
    await push({ class: 'Note', args: [], sl: 'something else' }),
    await push({ class: 'Note', args: [], sl: { source: 'else' } }),
    await push({ class: 'Note', args: [], sl: { source: ['ended', source, ''] } }),
    await push({ class: 'Note', args: [], sl: { source: { else: 1 } } }),
  ];
  for (const jid of jids) await through(jid);
  await redis.del(`sluice:sources:${PREFIX}`);
  await enqueue(2, { class: 'Note', args: [] });
  await settled(2);
  expect((await redis.keys('sluice:*')).toSorted()).toEqual(
    [`${LEDGER}:d`, 'sluice:sidekiq:reporters', `sluice:sources:${PREFIX}`].toSorted(),
  );
});

it('says that this process tells, until it stops', async () => {
  const [identity] = await redis.smembers('processes');
  await expect.poll(() => redis.zrange('sluice:sidekiq:reporters', '0', '-1'), SOON).toEqual([identity]);
  const at = Number(await redis.zscore('sluice:sidekiq:reporters', identity as string));
  expect(Math.abs(Date.now() / 1000 - at)).toBeLessThan(10);
  await sidekiq.stop();
  expect(await redis.exists('sluice:sidekiq:reporters')).toBe(0);
});
