/** A Ruby test without Kafka: what `sluice decode` makes of a protobuf record runs in the real gem's testing mode. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadSchemas } from '../../src/schema/load.ts';
import { folder, run } from '../cli/run.ts';
import { runRuby } from '../support/sidekiq.ts';
import { ROOT } from '../support/sluice.ts';

const cwd = folder({
  'proto/order.proto':
    'syntax = "proto3"; package acme.v1; message Order { int64 number = 1; repeated string items = 2; double net = 3; }',
});
const topics = {
  'acme.orders': {
    record: 'protobuf',
    message: 'acme.v1.Order',
    target: 'sidekiq',
    class: 'OrderJob',
    queue: 'orders',
  },
};
const env = { SLUICE_TOPICS: JSON.stringify(topics) };

it('runs what Kafka will bring, from a record and from a message alike', async () => {
  const message = { number: 2n ** 53n + 1n, items: ['ü', 'a'], net: 1.5 };
  const record = loadSchemas([join(cwd, 'proto')])
    .codec('acme.v1.Order')
    .encode(message);
  writeFileSync(join(cwd, 'order.bin'), record);
  const decode = ['decode', '--as', 'sidekiq', '--topic', 'acme.orders'];
  const ofRecord = await run([...decode, '--raw', '--file', 'order.bin'], { cwd, env });
  const line = '{"number":"9007199254740993","items":["ü","a"],"net":1.5}';
  const ofMessage = await run(decode, { cwd, env, input: `${line}\n` });

  const ran = await runRuby(
    { url: 'redis://127.0.0.1:1' },
    `
    require ${JSON.stringify(join(ROOT, 'ruby', 'sluice_testing.rb'))}
    class OrderJob
      include Sidekiq::Worker
      RAN = []
      def perform(order) = RAN << [jid, order["number"], order["items"], order["net"]]
    end
    Sluice::Testing.load(${JSON.stringify(ofRecord.stdout)})
    Sluice::Testing.load(${JSON.stringify(ofMessage.stdout)})
    OrderJob.drain
    OrderJob::RAN`,
  );
  const order = [expect.stringMatching(/^[0-9a-f]{24}$/), '9007199254740993', ['ü', 'a'], 1.5];
  expect(ran).toEqual([order, order]);
});
