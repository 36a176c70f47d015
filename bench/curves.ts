/**
 * How filling grows or shrinks with what a user may have: larger payloads, more partitions, more queues, a backlog, more
 * bridges on more than one Redis. The batch is the script's own, driven from memory.
 */
import type { Redis } from '../src/redis/connection.ts';
import { type Contestant, contest, node, spreads, startRedis } from './contest.ts';
import { bridge, filled } from './fill.ts';
import type { Part, Rows } from './part.ts';
import { envelope } from './payload.ts';
import { fillTopic } from './topic.ts';

const RECORDS = 120_000;
/** Of all records of a lap. */
const MOST_BYTES = 400_000_000;
const LIMIT_MS = 20_000;
/** Five million jobs take four gigabytes so, and five otherwise. */
const ADVISED = ['--hash-max-listpack-value', '1024'];

export const curves: Part = async ({ brokers }) => {
  const rows: Record<string, Rows[string]> = {};
  const point = async (name: string, contestant: Contestant, total = RECORDS, redis: readonly string[] = []) => {
    const terms = { rounds: 1, total, limitMs: LIMIT_MS, redis };
    Object.assign(rows, spreads(await contest({ [name]: contestant }, terms)));
  };
  for (const batch of [10, 50, 100, 250, 500, 1_000]) await point(`batches of ${batch}`, scriptOf(RECORDS, batch));
  for (const bytes of [100, 250, 1_000, 10_000, 100_000]) {
    const records = Math.min(RECORDS, MOST_BYTES / bytes);
    const topic = await topicOf(brokers, `payload-${bytes}`, { records, bytes });
    await point(`payload of ${bytes} B`, bridge(brokers, topic, { queue: 'filled' }, filled), records);
  }
  for (const partitions of [1, 6, 16, 64]) {
    const topic = await topicOf(brokers, `partitions-${partitions}`, { records: RECORDS, partitions });
    await point(`${partitions} partitions`, bridge(brokers, topic, { queue: 'filled' }, filled));
  }
  for (const queues of [1, 10, 100]) {
    const topic = await topicOf(brokers, `queues-${queues}`, { records: RECORDS, queues });
    await point(
      `${queues} queues`,
      bridge(brokers, topic, {}, (redis) => filledAll(redis, queues)),
    );
  }
  for (const [bridges, redises] of [
    [1, 1],
    [2, 1],
    [4, 1],
    [2, 2],
    [4, 2],
  ] as const) {
    const second = await startRedis();
    const topic = await topicOf(brokers, `bridges-${bridges}-${redises}`, { records: RECORDS, queues: redises });
    await point(
      `${bridges} bridges, ${redises} Redis`,
      many(brokers, topic, bridges, redises === 2 ? second.url : undefined),
    );
    await second.stop();
  }
  for (const backlog of [0, 1_000_000, 2_500_000, 5_000_000]) {
    await point(`${backlog} waiting`, behind(backlog), backlog + RECORDS, ADVISED);
  }
  return { rows };
};

interface Content {
  readonly records: number;
  readonly bytes?: number;
  readonly partitions?: number;
  readonly queues?: number;
}

async function topicOf(brokers: string, name: string, { records, bytes, partitions = 6, queues = 0 }: Content) {
  const topic = `bench.curve.${process.pid}.${name}`;
  const values = Array.from({ length: Math.max(1, queues) }, (_, i) =>
    envelope(bytes, undefined, queues > 0 ? `filled-${i}` : undefined),
  );
  await fillTopic({ topic, brokers, records, partitions, value: (n) => values[n % values.length] as Buffer });
  return topic;
}

function scriptOf(total: number, batch: number): Contestant {
  return {
    start: ({ url }) => node(['bench/contestants/script.ts', url, String(total), 'ledger', String(batch)]),
    count: filled,
  };
}

/** Half of the queues on the second Redis, if there is one; counted is the first, which gets its half as fast as the other. */
function many(brokers: string, topic: string, bridges: number, second: string | undefined): Contestant {
  const queues = second === undefined ? 1 : 2;
  return {
    start: ({ url }) =>
      node(['bench/contestants/bridges.ts', String(bridges)], {
        KAFKA_BROKERS: brokers,
        SLUICE_REDIS: JSON.stringify({ main: { url }, ...(second !== undefined && { second: { url: second } }) }),
        SLUICE_QUEUES: JSON.stringify(second === undefined ? {} : { 'filled-1': { redis: 'second' } }),
        SLUICE_KAFKA__GROUP_ID: topic,
        SLUICE_TOPICS: JSON.stringify({ [topic]: {} }),
        SLUICE_LOG__LEVEL: 'error',
      }),
    signal: 'SIGTERM',
    count: async (redis) => queues * Number((await redis.get('bull:filled-0:id')) ?? 0),
  };
}

/** The same script, measured behind jobs that wait already. */
function behind(backlog: number): Contestant {
  return {
    prepare: async ({ url }) => {
      if (backlog === 0) return;
      const child = node(['bench/contestants/script.ts', url, String(backlog), 'plain']);
      await new Promise((resolve) => child.once('close', resolve));
    },
    start: ({ url }) => node(['bench/contestants/script.ts', url, String(RECORDS), 'ledger', '500', String(backlog)]),
    count: filled,
  };
}

async function filledAll(redis: Redis, queues: number): Promise<number> {
  const counts = await redis.mget(Array.from({ length: queues }, (_, i) => `bull:filled-${i}:id`));
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}
