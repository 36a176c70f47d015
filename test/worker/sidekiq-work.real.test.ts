import { expect, test, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { folder, run } from '../cli/run.ts';
import { startRedis } from '../support/redis.ts';
import { runRuby } from '../support/sidekiq.ts';
import { runSluice } from '../support/sluice.ts';

const SOON = { timeout: 30_000, interval: 100 };
const PROTO = 'syntax = "proto3"; package acme.v1; message Order { string id = 1; int64 cents = 2; }';
const ORDER = `import { defineWorker } from 'sluice';
export default defineWorker('acme.v1.Order', {
  sidekiq: 'Billing::ChargeJob', queue: 'billing',
  run({ id, cents }, { attempt }) { console.log(id + ' ' + cents + ' ' + typeof cents + ' ' + attempt); },
});
export const same = defineWorker('acme.v1.Order', { queue: 'orders', run() {} });`;
const PLAIN = `import { defineWorker } from 'sluice';
export default defineWorker({ sidekiq: 'HardJob', run(args) { console.log(args.map((each) => typeof each).join()); } });`;

test('check knows the workers of Sidekiq classes, and refuses two for one class and a message that is not there', async () => {
  const files = { 'workers/order.mjs': ORDER, 'workers/order.proto': PROTO, 'workers/plain.mjs': PLAIN };
  const fine = await run(['check'], { cwd: folder(files) });
  expect([fine.code, fine.stdout]).toEqual([0, expect.stringContaining('3 workers')]);
  const alone = await run(['check'], { cwd: folder({ 'workers/plain.mjs': PLAIN }) });
  expect([alone.code, alone.stdout]).toEqual([0, expect.stringContaining('1 worker')]);
  const twice = await run(['check'], { cwd: folder({ ...files, 'workers/twin.mjs': PLAIN }) });
  expect(twice.code).toBe(3);
  expect(twice.stderr).toMatch(/two workers for HardJob: .*plain\.mjs and .*twin\.mjs; a Sidekiq class has one worker/);
  const unknown = await run(['check'], { cwd: folder({ 'workers/order.mjs': ORDER }) });
  expect(unknown.stderr).toContain('acme.v1.Order');
});

test('work serves Sidekiq queues beside those of BullMQ, and ends when Sidekiq asks it to', async () => {
  const server = await startRedis();
  const redis = connect('test', server, 'command', silentLog);
  const cwd = folder({ 'workers/order.mjs': ORDER, 'workers/order.proto': PROTO, 'workers/plain.mjs': PLAIN });
  const wrapper = 'ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper';
  const arguments_ = '[{"id":"a","cents":9007199254740993,"_aj_symbol_keys":["id"]}]';
  const wrapped = `{"class":"${wrapper}","wrapped":"Billing::ChargeJob","args":[{"job_class":"Billing::ChargeJob","arguments":${arguments_}}]}`;
  await redis.lpush('queue:billing', wrapped, '{"class":"Billing::ChargeJob","args":["b",5]}');
  await redis.lpush('queue:default', '{"class":"HardJob","args":[1,1.5,"x",[],9007199254740993,null]}');
  const work = runSluice(['work'], { cwd, env: { REDIS_URL: server.url } });
  await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('3'), SOON);
  const said = work.stdout().trim().split('\n');
  expect(said.sort()).toEqual([
    'a 9007199254740993 bigint 1',
    'b 5 bigint 1',
    'number,number,string,object,bigint,object',
  ]);
  expect(work.stderr()).toContain('"workers":3');
  const queues = await runRuby(server, 'Sidekiq::ProcessSet.new.first.queues');
  expect(queues).toEqual(['billing', 'default']);
  await runRuby(server, 'Sidekiq::ProcessSet.new.first.stop!; 1');
  expect(await work.ended).toBe(0);
  expect(await redis.scard('processes')).toBe(0);
  await disconnect(redis);
  await server.stop();
});
