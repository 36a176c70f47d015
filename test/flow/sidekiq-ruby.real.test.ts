/** What a team with Ruby workers relies on: order, many queues, a Redis that never refuses Ruby, and a way over and back. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { RecordProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { gateState } from '../../src/presence/gates.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby, type Sidekiq, type SidekiqOptions, startSidekiq } from '../support/sidekiq.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

const PATIENCE = { timeout: 60_000, interval: 100 };
const QUEUES = 3_000;
const LARGE_BYTES = 2_000;
const LARGE_JOBS = 20_000;
const MAXMEMORY = '32mb';

let server: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let redis: Redis;
let bridge: Running;
const rubies: Sidekiq[] = [];

async function start(partitions: number, maxmemory?: string): Promise<void> {
  [server, topic] = await Promise.all([
    startRedis(maxmemory === undefined ? {} : { maxmemory }),
    makeTopic(partitions),
  ]);
  records = createRecordProducer(topic.kafka, silentLog);
  redis = connect('test', server, 'command', silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq' } };
  bridge = runSluice(['bridge'], { env: sluiceEnv(topic, server, 'idle-workers', topics) });
}

beforeEach(() => {
  rubies.length = 0;
});

afterEach(async () => {
  await Promise.all(rubies.map((ruby) => ruby.kill()));
  expect(await bridge.kill('SIGTERM')).toBe(0);
  await records.stop(1_000);
  await disconnect(redis);
  await topic.stop();
  await server.stop();
});

async function ruby(options: SidekiqOptions = {}): Promise<Sidekiq> {
  const started = await startSidekiq(server, options);
  rubies.push(started);
  return started;
}

async function produce(jobs: readonly string[], key = (i: number) => `key-${i}`): Promise<void> {
  await records.send(
    topic.topic,
    jobs.map((job, i) => ({ key: key(i), value: Buffer.from(job) })),
  );
}

it('runs the jobs of a partition in the order of their records', async () => {
  await start(1);
  const one = await ruby({ concurrency: 1 });
  const numbers = Array.from({ length: 2_000 }, (_, i) => i);
  await produce(numbers.map((i) => `{"class":"Note","args":[${i}]}`));
  await vi.waitFor(() => expect(one.runs('ended')).toHaveLength(numbers.length), PATIENCE);
  expect(one.runs('began').map(({ args }) => args[0]?.value)).toEqual(numbers);
});

it('feeds thousands of queues', async () => {
  await start(3);
  const queues = Array.from({ length: QUEUES }, (_, i) => `tenant_${i}`);
  await produce(queues.flatMap((queue, i) => [`{"class":"Note","args":[${i}],"queue":"${queue}"}`]));
  await vi.waitFor(async () => expect(await redis.scard('queues')).toBe(QUEUES), PATIENCE);
  expect(await runRuby(server, 'Sidekiq::Queue.all.map(&:size).tally')).toEqual({ 1: QUEUES });
  const all = await ruby({ queues });
  await vi.waitFor(() => expect(all.runs('ended')).toHaveLength(QUEUES), PATIENCE);
  for (const { queue, args } of all.runs('ended')) expect(queue).toBe(`tenant_${args[0]?.value}`);
});

it('leaves Ruby the room to write its retries, however much waits', { timeout: 120_000 }, async () => {
  await start(3, MAXMEMORY);
  const code = `
    class WaitThenFail < WaitFor
      def perform(*)
        super
        raise "told to fail"
      end
    end`;
  const busy = await ruby({ queues: ['small'], code });
  await produce(['{"class":"WaitThenFail","args":["go"],"queue":"small"}']);
  await vi.waitFor(() => expect(busy.runs('began')).toHaveLength(1), PATIENCE);

  // Nobody works on this queue: what does not fit waits in Kafka.
  const filler = 'x'.repeat(LARGE_BYTES);
  for (let at = 0; at < LARGE_JOBS; at += 2_000) {
    const numbers = Array.from({ length: 2_000 }, (_, i) => at + i);
    await produce(numbers.map((i) => `{"class":"Note","args":[${i},"${filler}"],"queue":"large"}`));
  }
  const gate = () => gateState(redis, topic.groupId, 'main');
  await vi.waitFor(async () => expect(await gate()).toMatchObject({ isOpen: false }), PATIENCE);
  const waiting = await redis.llen('queue:large');
  expect(waiting).toBeGreaterThan(1_000);
  expect(waiting).toBeLessThan(LARGE_JOBS);

  busy.let('go');
  await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(1), PATIENCE);
  const worker = await ruby({ queues: ['large'], concurrency: 10 });
  await vi.waitFor(async () => {
    expect(await redis.llen('queue:large')).toBe(0);
    expect(worker.runs('ended').length).toBeGreaterThanOrEqual(LARGE_JOBS);
  }, PATIENCE);
  expect(worker.runs('ended')).toHaveLength(LARGE_JOBS);
  expect(await redis.info('errorstats')).not.toContain('OOM');
});

it('takes over what Rails enqueues, and gives it back, while the Ruby workers stay as they are', async () => {
  await start(1);
  const workers = await ruby();
  const direct = await enqueueByRails('');
  const diverted = await enqueueByRails('Note');
  expect([direct, diverted]).toMatchObject([
    { jid: expect.any(String), records: [] },
    { jid: null, records: [{ topic: 'acme.jobs' }] },
  ]);
  await produce(diverted.records.map(({ payload }) => payload));
  await vi.waitFor(() => expect(workers.runs('ended')).toHaveLength(2), PATIENCE);
  const [one, other] = workers.runs('ended');
  expect(other?.args).toEqual(one?.args);
  const settings = ({ class: name, retry, tags, queue }: Record<string, unknown>) => ({ name, retry, tags, queue });
  expect(settings(other?.job ?? {})).toEqual(settings(one?.job ?? {}));
  expect(other?.jid).toBe(diverted.records[0]?.key);
});

interface Enqueued {
  readonly jid: string | null;
  readonly records: readonly { topic: string; key: string; payload: string }[];
}

/** `toKafka`: classes that the middleware of docs/sidekiq.md, as it stands there, sends to Kafka. */
function enqueueByRails(toKafka: string): Promise<Enqueued> {
  const page = readFileSync(`${ROOT}docs/sidekiq.md`, 'utf8');
  const [, middleware] = /```ruby\n( *class ToKafka.*?)```/s.exec(page) ?? [];
  return runRuby<Enqueued>(
    server,
    `
    ENV["JOBS_TO_KAFKA"] = "${toKafka}"
    RECORDS = []
    KAFKA = Object.new
    def KAFKA.produce_sync(**record) = RECORDS << record
    class Note
      include Sidekiq::Job
      sidekiq_options retry: 5, tags: ["mail"]
    end
    ${middleware}
    {jid: Note.perform_async("ada", 1.0, 2**53 + 1), records: RECORDS}`,
  );
}
