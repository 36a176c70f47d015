/**
 * All that a job passes on its way through the demo, opened for one run: its own topics, consumer group and database of
 * Redis, so that runs do not mix.
 */
import { fileURLToPath } from 'node:url';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import type { KafkaAdmin } from '../../src/kafka/consumer.ts';
import { silentLog } from '../../src/log.ts';
import { createProducer, type Producer } from '../../src/producer/producer.ts';
import type { SidekiqProducer } from '../../src/producer/sidekiq.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { up } from '../../stack/stack.ts';
import { type SluiceUp, startSluice } from '../sluice-up.ts';
import { type Ruby, startRuby } from './ruby.ts';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const PARTITIONS = 3;
const RETENTION_MS = 3_600_000;
const STOP_MS = 20_000;
/** Of a Redis as it comes. */
const LAST_DATABASE = 15;

export interface Look {
  /** Records whose offset is not committed. */
  readonly lag: number;
  /** Jobs that wait in Redis. */
  readonly queued: number;
  /** Dead letters. */
  readonly letters: number;
}

export interface Stations {
  /** Sidekiq jobs, and protobuf messages, into Kafka. */
  readonly orders: SidekiqProducer;
  readonly views: Producer;
  readonly sluice: SluiceUp;
  readonly ruby: Ruby;
  /** While a server is away: as before. */
  look(): Promise<Look>;
  close(): Promise<void>;
}

export async function openStations(): Promise<Stations> {
  const { KAFKA_BROKERS, REDIS_URL } = await up({ install: true, sidekiq: true });
  const run = `demo-sidekiq-${process.pid}-${Date.now().toString(36)}`;
  const topics = [`${run}.orders`, `${run}.views`] as const;
  const kafka = kafkaConfig.parse({ brokers: KAFKA_BROKERS.split(','), groupId: run });
  const admin = createKafkaAdmin(kafka, silentLog);
  const config = { 'retention.ms': String(RETENTION_MS) };
  await admin.ensureTopics(topics.map((topic) => ({ topic, partitions: PARTITIONS, config })));
  const { redis, url } = await emptyDatabase(REDIS_URL);
  const sluice = startSluice(
    {
      KAFKA_BROKERS,
      REDIS_URL: url,
      SLUICE_KAFKA__GROUP_ID: run,
      // Its messages; it runs none of the clone's workers, whom these topics do not feed.
      SLUICE_WORKERS: PROTO,
      SLUICE_LOG__LEVEL: process.env.SLUICE_LOG__LEVEL ?? 'warn',
      SLUICE_TOPICS: JSON.stringify({
        [topics[0]]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' },
        [topics[1]]: { target: 'sidekiq', class: 'PageViewJob', queue: 'views' },
      }),
    },
    'bridge',
  );
  const orders = createProducer({ target: 'sidekiq', via: 'kafka', topic: topics[0], kafka });
  const views = createProducer({ via: 'kafka', topic: topics[1], proto: [PROTO], kafka });
  const ruby = startRuby(url);
  let last: Look = { lag: 0, queued: 0, letters: 0 };
  const look = async () => {
    const [lag, letters, ...queued] = await Promise.all([
      lagOf(admin, run, topics),
      recordsIn(admin, `${topics[0]}.dlq`),
      redis.llen('queue:orders'),
      redis.llen('queue:views'),
    ]);
    return { lag, letters, queued: queued.reduce((sum, length) => sum + length, 0) };
  };

  return {
    orders,
    views,
    sluice,
    ruby,
    async look() {
      last = await look().catch(() => last);
      return last;
    },
    async close() {
      await Promise.all([orders.close(), views.close()]);
      await Promise.all([sluice.stop(STOP_MS), ruby.stop(STOP_MS)]);
      await redis.flushdb();
      await Promise.all([admin.stop(1_000), disconnect(redis)]);
    },
  };
}

/** Sidekiq's keys have no prefix: beside others it takes a database of its own. */
async function emptyDatabase(redisUrl: string): Promise<{ redis: Redis; url: string }> {
  for (let database = LAST_DATABASE; database > 0; database--) {
    const url = new URL(redisUrl);
    url.pathname = `/${database}`;
    const redis = connect('demo', { url: url.href }, 'command', silentLog);
    if ((await redis.dbsize()) === 0) return { redis, url: url.href };
    await disconnect(redis);
  }
  throw new Error(`${redisUrl} has no empty database from 1 to ${LAST_DATABASE}`);
}

async function lagOf(admin: KafkaAdmin, group: string, topics: readonly string[]): Promise<number> {
  const [bounds, committed] = await Promise.all([admin.bounds(topics), admin.committed(group, topics)]);
  return [...bounds].reduce((sum, [key, { low, high }]) => sum + high - (committed.get(key)?.offset ?? low), 0);
}

async function recordsIn(admin: KafkaAdmin, topic: string): Promise<number> {
  if (!(await admin.topics()).includes(topic)) return 0;
  return [...(await admin.bounds([topic])).values()].reduce((sum, { low, high }) => sum + high - low, 0);
}
