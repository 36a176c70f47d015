/**
 * Filling a BullMQ queue from Kafka: Sluice, with its ledger and everything else switched on, beside what a user would write
 * instead, and beside its own script driven from memory, which is as fast as one Redis can be filled by it.
 */
import type { Redis } from '../src/redis/connection.ts';
import { allOf, type Contestant, contest, node, type Result, spreads } from './contest.ts';
import type { Part } from './part.ts';
import { envelope } from './payload.ts';
import { ratioOf } from './statistics.ts';
import { fillTopic } from './topic.ts';

const RECORDS = 500_000;
const QUICK_RECORDS = 120_000;
const LIMIT_MS = 4_000;

export const fill: Part = async ({ brokers, rounds, isQuick }) => {
  const topic = `bench.fill.${process.pid}`;
  const records = isQuick ? QUICK_RECORDS : RECORDS;
  const value = envelope();
  await fillTopic({ topic, brokers, records, value: () => value });
  const terms = { rounds, total: records, limitMs: LIMIT_MS };
  const results = await contest(contestants(brokers, topic, records), terms);
  const ratio = (one: string, other: string, figure: keyof Result = 'perSecond') =>
    ratioOf(allOf(results, one, figure), allOf(results, other, figure));
  return {
    rows: spreads(results),
    ratios: {
      fillVsAddBulk: ratio('sluice', 'addBulk'),
      fillVsBestAddBulk: ratio('sluice', 'bestAddBulk'),
      fillVsNaive: ratio('sluice', 'naive'),
      fillVsCeiling: ratio('sluice', 'script'),
      scriptVsNoLedger: ratio('script', 'scriptWithoutLedger', 'redisUsec'),
    },
  };
};

function contestants(brokers: string, topic: string, records: number): Record<string, Contestant> {
  const loop = (file: string, ...more: string[]): Contestant => ({
    start: ({ url }) => node([`bench/contestants/${file}.ts`, brokers, url, topic, ...more]),
    count: filled,
  });
  const script = (how: string): Contestant => ({
    start: ({ url }) => node(['bench/contestants/script.ts', url, String(records), how]),
    count: filled,
  });
  return {
    sluice: bridge(brokers, topic, { queue: 'filled' }, filled),
    addBulk: loop('add-bulk', 'usual'),
    bestAddBulk: loop('add-bulk', 'tuned'),
    naive: loop('add-each'),
    script: script('ledger'),
    scriptWithoutLedger: script('bare'),
  };
}

/** `sluice bridge`, as a user runs it. `name` tells groups of one topic apart. */
export function bridge(
  brokers: string,
  topic: string,
  settings: object,
  count: Contestant['count'],
  name = 'sluice',
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Contestant {
  return {
    start: ({ url }, round) =>
      node([...flags, 'bin/sluice.js', 'bridge'], {
        KAFKA_BROKERS: brokers,
        REDIS_URL: url,
        SLUICE_KAFKA__GROUP_ID: `${topic}-${name}-${round}`,
        SLUICE_TOPICS: JSON.stringify({ [topic]: settings }),
        SLUICE_LOG__LEVEL: 'error',
        ...env,
      }),
    count,
  };
}

/** BullMQ's own count of the jobs that were ever added. */
export async function filled(redis: Redis): Promise<number> {
  return Number((await redis.get('bull:filled:id')) ?? 0);
}
