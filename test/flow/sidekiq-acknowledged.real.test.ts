/**
 * Topics whose records are finished when Ruby has run them: nothing is lost with a Ruby process that is killed, nor with
 * Redis, and what dies in Ruby is a dead letter.
 */
import { expect, it, vi } from 'vitest';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, startSidekiq } from '../support/sidekiq.ts';
import { ROOT, runSluice } from '../support/sluice.ts';

const PATIENCE = { timeout: 100_000, interval: 250 };
/** What docs/sidekiq.md tells a user to write. */
const INSTALLED = `
require "${ROOT}ruby/sluice_sidekiq"
Sidekiq.configure_server { |config| Sluice::Sidekiq.install(config) }
`;

interface Flow {
  readonly server: TestRedis;
  readonly topic: TestTopic;
  readonly redis: Redis;
  produce(jobs: readonly object[]): Promise<void>;
  /** Resolves once every record is finished. */
  done(): Promise<void>;
}

/** A topic, a Redis and a bridge of a test's own: what the tests wait for takes long, and they wait side by side. */
async function withFlow(test: (flow: Flow) => Promise<void>): Promise<void> {
  const [server, topic] = await Promise.all([startRedis(), makeTopic(3)]);
  const records = createRecordProducer(topic.kafka, silentLog);
  const redis = connect('test', server, 'command', silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' } };
  const bridge = runSluice(['bridge'], { env: sluiceEnv(topic, server, 'idle-workers', topics) });
  const recordOf = (job: object, i: number) => ({ key: `key-${i}`, value: Buffer.from(JSON.stringify(job)) });
  try {
    await test({
      ...{ server, topic, redis },
      produce: (jobs) => records.send(topic.topic, jobs.map(recordOf)),
      done: () => vi.waitFor(async () => expect(await topic.lag()).toBe(0), PATIENCE),
    });
  } finally {
    await bridge.kill('SIGTERM');
    await records.stop(1_000);
    await disconnect(redis);
    await topic.stop();
    await server.stop();
  }
}

function numbered(count: number, from: number, job: (i: number) => object): object[] {
  return Array.from({ length: count }, (_, i) => ({ jid: String(from + i).padStart(24, '0'), ...job(from + i) }));
}

it.concurrent('does every job although Ruby is killed under load and Redis is emptied', { timeout: 150_000 }, () =>
  withFlow(async ({ server, redis, produce, done }) => {
    const first = await startSidekiq(server, { code: INSTALLED, concurrency: 10 });
    await produce(numbered(3_000, 0, () => ({ class: 'Nap', args: [0.01], retry: 3 })));
    await vi.waitFor(() => expect(first.runs('ended').length).toBeGreaterThan(300), PATIENCE);

    await first.kill();
    const begun = new Set(first.runs('began').map(({ jid }) => jid));
    for (const { jid } of first.runs('ended')) begun.delete(jid);
    expect(begun.size).toBeGreaterThan(0);
    // As its expiry does, a minute later.
    for (const process of await redis.smembers('processes')) await redis.del(process);
    const second = await startSidekiq(server, { code: INSTALLED, concurrency: 10, dir: first.dir });
    await done();

    await produce(numbered(3_000, 3_000, () => ({ class: 'Nap', args: [0.01], retry: 3 })));
    await vi.waitFor(() => expect(second.runs('ended').length).toBeGreaterThan(3_500), PATIENCE);
    await redis.flushall();
    await done();
    await second.stop();

    expect(new Set(second.runs('ended').map(({ jid }) => jid)).size).toBe(6_000);
    expect(await runRuby(server, '[Sidekiq::Queue.new.size, Sidekiq::RetrySet.new.size]')).toEqual([0, 0]);
  }),
);

it.concurrent('writes a letter for what dies in Ruby, and leaves it among the dead', { timeout: 90_000 }, () =>
  withFlow(async ({ server, topic, redis, produce, done }) => {
    const ruby = await startSidekiq(server, { code: INSTALLED });
    await produce([
      ...numbered(5, 0, () => ({ class: 'Fail', args: [], retry: 0, tags: ['a'] })),
      ...numbered(5, 5, () => ({ class: 'Fail', args: [], retry: false })),
      ...numbered(5, 10, () => ({ class: 'Fail', args: [1], retry: 3 })),
      ...numbered(5, 15, () => ({ class: 'Note', args: [], at: Date.now() / 1000 + 1 })),
    ]);
    // The retries are due in 15 seconds and more.
    await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(5), PATIENCE);
    await runRuby(server, 'Sidekiq::RetrySet.new.each(&:retry); 1');
    await done();
    await ruby.stop();

    expect(await topic.size(`${topic.topic}.dlq`)).toBe(10);
    // Nobody waits for it any more: it may be tried again from there.
    const sources = await runRuby<unknown[]>(
      server,
      "Sidekiq::DeadSet.new.map { |job| job.item['sl'].keys.first }.uniq",
    );
    expect(sources).toEqual(['from']);
    const dead = await runRuby<string[]>(server, 'Sidekiq::DeadSet.new.map(&:jid).sort');
    expect(dead).toEqual(numbered(5, 0, () => ({})).map((job) => Reflect.get(job, 'jid')));
  }),
);

it.concurrent('knows what an operator has killed, and brings back what was deleted', { timeout: 120_000 }, () =>
  withFlow(async ({ server, topic, redis, produce, done }) => {
    await produce(numbered(20, 0, () => ({ class: 'Note', args: [] })));
    await vi.waitFor(async () => expect(await redis.llen('queue:default')).toBe(20), PATIENCE);
    const code = `
    jobs = Sidekiq::Queue.new.to_a
    jobs.first(3).each(&:delete)
    jobs.last(2).each { |job| Sidekiq::DeadSet.new.kill(job.value); job.delete }
    jobs.size`;
    expect(await runRuby(server, code)).toBe(20);
    const ruby = await startSidekiq(server, { code: INSTALLED });
    await done();
    await ruby.stop();

    expect(new Set(ruby.runs('ended').map(({ jid }) => jid)).size).toBe(18);
    expect(await topic.size(`${topic.topic}.dlq`)).toBe(2);
  }),
);
