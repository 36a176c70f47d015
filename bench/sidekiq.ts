/**
 * Filling a Sidekiq queue: Sluice, with its ledger and every job checked and stamped, beside a loop that pushes what Kafka
 * holds as it is, and beside Ruby's own client, which has its jobs in memory already.
 */
import type { Redis } from '../src/redis/connection.ts';
import { allOf, type Contestant, contest, node, run, spreads } from './contest.ts';
import { bridge } from './fill.ts';
import type { Part } from './part.ts';
import { PAYLOAD_BYTES, sidekiqJob } from './payload.ts';
import { ratioOf } from './statistics.ts';
import { fillTopic } from './topic.ts';

const RECORDS = 800_000;
const QUICK_RECORDS = 150_000;
const LIMIT_MS = 4_000;
const QUEUE = 'queue:filled';

/** A topic whose records are finished when their jobs have run: the ledger holds each of them. */
export const settled = { record: 'sidekiq', target: 'sidekiq', settle: 'acknowledged' };

export const sidekiq: Part = async ({ brokers, rounds, isQuick }) => {
  const topic = `bench.sidekiq.${process.pid}`;
  const records = isQuick ? QUICK_RECORDS : RECORDS;
  await fillTopic({ topic, brokers, records, value: (n) => sidekiqJob(n) });
  const results = await contest(contestants(brokers, topic, records), { rounds, total: records, limitMs: LIMIT_MS });
  const ratio = (other: string) => ratioOf(allOf(results, 'sluice', 'perSecond'), allOf(results, other, 'perSecond'));
  return {
    rows: spreads(results),
    ratios: {
      sidekiqVsLpush: ratio('lpush'),
      sidekiqVsPushBulk: ratio('pushBulk'),
      sidekiqVsPerformAsync: ratio('performAsync'),
    },
  };
};

function contestants(brokers: string, topic: string, records: number): Record<string, Contestant> {
  const ruby = (how: string): Contestant => ({
    start: ({ url }) => run('ruby', ['bench/contestants/push.rb', how, String(2 * records)], { REDIS_URL: url }),
    count: waiting,
  });
  return {
    sluice: bridge(brokers, topic, settled, waiting),
    sluiceEnqueued: bridge(brokers, topic, { ...settled, settle: 'enqueued' }, waiting, 'enqueued'),
    lpush: {
      start: ({ url }) => node(['bench/contestants/lpush.ts', brokers, url, topic]),
      count: waiting,
    },
    pushBulk: ruby('push_bulk'),
    performAsync: ruby('perform_async'),
    redisBenchmark: {
      start: ({ url }) =>
        run('redis-benchmark', [...benchmarkFlags(url, 2 * records), 'LPUSH', QUEUE, 'x'.repeat(PAYLOAD_BYTES)]),
      count: waiting,
    },
  };
}

/** Two connections, 500 commands at once on each, as the other contestants have two batches under way. */
function benchmarkFlags(url: string, commands: number): string[] {
  return ['-p', new URL(url).port, '-n', String(commands), '-c', '2', '-P', '500', '-q'];
}

export function waiting(redis: Redis): Promise<number> {
  return redis.llen(QUEUE);
}
