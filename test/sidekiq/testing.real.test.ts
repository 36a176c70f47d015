/**
 * ruby/sluice_testing.rb, as a Ruby test uses it: in the real gem's testing mode, with no Redis in reach. What the command
 * prints is loaded in decoded.real.test.ts.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runRuby } from '../support/sidekiq.ts';
import { ROOT } from '../support/sluice.ts';

const NO_REDIS = { url: 'redis://127.0.0.1:1' };
const SETUP = `
require ${JSON.stringify(join(ROOT, 'ruby', 'sluice_testing.rb'))}
RAN = []
class OrderJob
  include Sidekiq::Worker
  def perform(*args) = RAN << [jid, args.inspect]
end
def attempt
  yield
rescue => error
  "#{error.class}: #{error.message}"
end
`;
const ORDER = (number: string, queue = 'orders') =>
  `{"class":"OrderJob","args":[${number},{"paid":true}],"queue":"${queue}","jid":"${'0'.repeat(23)}7","retry":true,"created_at":1763721600.123456,"sl":{"source":"k~acme.orders~0~0~7"}}`;

const ruby = <T>(code: string) => runRuby<T>(NO_REDIS, `${SETUP}\n${code}`);
const loading = (lines: string) => `Sluice::Testing.load(${JSON.stringify(lines).replaceAll('#', '\\#')})`;

it('lets jobs wait where a test looks for them, and run when it drains', async () => {
  const code = `
    loaded = ${loading(`${ORDER('1.0')}\n\n${ORDER('9007199254740993', 'late')}\n`)}
    waiting = [loaded.size, OrderJob.jobs.size, Sidekiq::Queues["late"].size, RAN.size]
    OrderJob.drain
    [waiting, RAN]`;
  expect(await ruby(code)).toEqual([
    [2, 2, 1, 0],
    [
      ['000000000000000000000007', '[1.0, {"paid"=>true}]'],
      // Sidekiq's draining would have passed over a second job of the same jid.
      [expect.stringMatching(/^(?!00000)[0-9a-f]{24}$/), '[9007199254740993, {"paid"=>true}]'],
    ],
  ]);
});

it('runs jobs at once in inline mode, and a failure fails the test', async () => {
  const code = `
    class FailingJob < OrderJob
      def perform(*) = raise("refused")
    end
    Sidekiq::Testing.inline! { [${loading(ORDER('1'))}.size, RAN.size, attempt { ${loading(ORDER('1').replace('OrderJob', 'FailingJob'))} }] }`;
  expect(await ruby(code)).toEqual([1, 1, 'RuntimeError: refused']);
});

it('runs what Rails wraps', async () => {
  const wrapped = JSON.stringify({
    class: 'ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper',
    wrapped: 'Invoice',
    queue: 'default',
    args: [{ job_class: 'Invoice', job_id: '8f6f', queue_name: 'default', arguments: [7], executions: 0 }],
  });
  const code = `
    require "active_job"
    ActiveJob::Base.logger = nil
    ActiveJob::Base.queue_adapter = :sidekiq
    class Invoice < ActiveJob::Base
      def perform(number) = RAN << number
    end
    ${loading(wrapped)}
    Sidekiq::Worker.drain_all
    RAN`;
  expect(await ruby(code)).toEqual([7]);
});

it('reads a file', async () => {
  const file = join(tmpdir(), `sluice-jobs-${process.pid}.jsonl`);
  writeFileSync(file, `${ORDER('1')}\n${ORDER('2')}\n`);
  expect(await ruby(`File.open("${file}") { |lines| Sluice::Testing.load(lines) }.size`)).toBe(2);
  expect(await ruby(`Sluice::Testing.load(File.readlines("${file}")).size`)).toBe(2);
});

it.each([
  ['no job', '\n', 'no job came'],
  ['no JSON', `${ORDER('1')}\nwrong`, 'line 2 is not JSON'],
  ['no arguments', '{"class":"OrderJob","queue":"orders"}', 'line 1 is no job with class, args and queue: {"class"'],
])('refuses %s, and loads nothing', async (_what, lines, problem) => {
  const [message, size] = await ruby<[string, number]>(`[attempt { ${loading(lines)} }, OrderJob.jobs.size]`);
  expect(message).toContain(`Sluice::Testing::BadJob: ${problem}`);
  expect(size).toBe(0);
});

it('refuses to load where nothing would be tested', async () => {
  const code = `Sidekiq::Testing.disable! { attempt { ${loading(ORDER('1'))} } }`;
  expect(await ruby(code)).toContain('Sidekiq::Testing is disabled');
});
