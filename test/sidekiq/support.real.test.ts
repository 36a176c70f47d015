/** That the Sidekiq which other tests lean on is a real one, and that what it notes is what it did. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, type Sidekiq, startSidekiq } from '../support/sidekiq.ts';

const SOON = { timeout: 20_000, interval: 50 };

let redis: TestRedis;
let sidekiq: Sidekiq;
beforeAll(async () => {
  redis = await startRedis();
  sidekiq = await startSidekiq(redis, { queues: ['mail', 'default'], concurrency: 2, code: 'class Mine < Note; end' });
});
afterAll(async () => {
  await sidekiq.stop();
  await redis.stop();
});

const push = (job: string) => runRuby<string>(redis, `Sidekiq::Client.push(${job})`);
const phases = (jid: string) => sidekiq.runs().flatMap((run) => (run.jid === jid ? [run.phase] : []));

it('notes runs with the arguments as Ruby saw them', async () => {
  const jid = await push(`"class" => "Mine", "queue" => "mail", "args" => [1.0, 2**53+1, [], {}, "ü", nil]`);
  await vi.waitFor(() => expect(phases(jid)).toEqual(['began', 'ended']), SOON);
  const run = sidekiq.runs('ended').find((each) => each.jid === jid);
  expect(run).toMatchObject({ class: 'Mine', queue: 'mail', pid: sidekiq.pid, error: null });
  expect(run?.args.map((arg) => `${arg.class} ${arg.inspect}`)).toEqual([
    'Float 1.0',
    'Integer 9007199254740993',
    'Array []',
    'Hash {}',
    'String "ü"',
    'NilClass nil',
  ]);
});

it('fails as told, and runs again', async () => {
  const jid = await push(`"class" => "Fail", "args" => [1]`);
  await vi.waitFor(() => expect(phases(jid)).toEqual(['began', 'failed']), SOON);
  await vi.waitFor(async () => expect(await runRuby(redis, 'Sidekiq::RetrySet.new.map(&:jid)')).toEqual([jid]), SOON);
  await runRuby(redis, 'Sidekiq::RetrySet.new.retry_all');
  await vi.waitFor(() => expect(phases(jid)).toEqual(['began', 'failed', 'began', 'ended']), SOON);
});

it('says what is wrong with its Ruby', async () => {
  await expect(runRuby(redis, 'raise "so it is"')).rejects.toThrow('so it is');
});

it('gives a job back that its stop interrupts, and loses the one that kill -9 interrupts', async () => {
  const one = await startSidekiq(redis, { queues: ['late'] });
  const jid = await push(`"class" => "WaitFor", "queue" => "late", "args" => ["go"]`);
  await vi.waitFor(() => expect(one.runs('began')).toHaveLength(1), SOON);
  expect(await one.stop()).toBe(0);
  expect(await runRuby(redis, 'Sidekiq::Queue.new("late").map(&:jid)')).toEqual([jid]);

  const two = await startSidekiq(redis, { queues: ['late'], dir: one.dir });
  await vi.waitFor(() => expect(two.runs('began')).toHaveLength(2), SOON);
  two.let('go');
  await vi.waitFor(() => expect(two.runs('ended')).toHaveLength(1), SOON);

  await push(`"class" => "KillOnce", "queue" => "late", "args" => []`);
  await vi.waitFor(() => expect(two.runs('began')).toHaveLength(3), SOON);
  expect(await two.kill()).toBe('SIGKILL');
  expect(await runRuby(redis, 'Sidekiq::Queue.new("late").size')).toBe(0);
});
