/**
 * Draining a BullMQ queue of jobs that do nothing: Sluice's host, which settles each job in the ledger that it came through,
 * beside BullMQ's own Worker at the concurrency that suits it best, which settles nothing.
 */
import type { ChildProcess } from 'node:child_process';
import type { Redis } from '../src/redis/connection.ts';
import { allOf, type Contestant, contest, node, type Result, ROOT, spreads } from './contest.ts';
import type { Part } from './part.ts';
import { ratioOf } from './statistics.ts';

const JOBS = 200_000;
const QUICK_JOBS = 80_000;
const LIMIT_MS = 4_000;
/** Where one process is fastest: more is no better, and less is slower. */
const STOCK_CONCURRENCY = 100;
const CONCURRENCY = 600;

export const drain: Part = async ({ brokers, rounds, isQuick }) => {
  const total = isQuick ? QUICK_JOBS : JOBS;
  const results = await contest(contestants(brokers, total), { rounds, total, limitMs: LIMIT_MS });
  const ratio = (one: string, figure: keyof Result) =>
    results[one] === undefined ? undefined : ratioOf(allOf(results, one, figure), allOf(results, 'stock', figure));
  const ratios = {
    drainVsStock: ratio('sluice', 'perSecond'),
    drainBatchVsStock: ratio('sluiceBatches', 'perSecond'),
    drainRedisVsStock: ratio('sluice', 'redisUsec'),
    drainBatchRedisVsStock: ratio('sluiceBatches', 'redisUsec'),
  };
  // How much the memory of a queue that is being drained has grown says nothing.
  const rows = Object.entries(spreads(results)).map(([name, { bytes: _, ...figures }]) => [name, figures] as const);
  return { rows: Object.fromEntries(rows), ratios: known(ratios) };
};

function contestants(brokers: string, total: number): Record<string, Contestant> {
  const host = (workers: string): Contestant => ({
    prepare: ({ url }) => through(node(['bench/contestants/script.ts', url, String(total), 'ledger'])),
    start: ({ url }) => startHost(brokers, url, workers, { SLUICE_KAFKA__GROUP_ID: 'bench' }, CONCURRENCY),
    count: done(total),
  });
  const stock: Contestant = {
    prepare: ({ url }) => through(node(['bench/contestants/script.ts', url, String(total), 'plain'])),
    start: ({ url }) => node(['bench/contestants/stock-worker.ts', url, String(STOCK_CONCURRENCY)]),
    count: done(total),
  };
  return { sluice: host('empty'), sluiceBatches: host('batches'), stock };
}

/** `sluice work`, as a user runs it; `workers` is a folder of bench/workers. */
export function startHost(
  brokers: string,
  url: string,
  workers: string,
  env: Readonly<Record<string, string>>,
  concurrency: number,
): ChildProcess {
  return node(['bin/sluice.js', 'work'], {
    KAFKA_BROKERS: brokers,
    REDIS_URL: url,
    SLUICE_WORKERS: `${ROOT}bench/workers/${workers}`,
    SLUICE_QUEUES: JSON.stringify({ filled: { concurrency } }),
    SLUICE_LOG__LEVEL: 'error',
    ...env,
  });
}

function done(total: number): Contestant['count'] {
  return async (redis: Redis) => {
    const [waiting, active] = await Promise.all([redis.llen('bull:filled:wait'), redis.llen('bull:filled:active')]);
    return total - waiting - active;
  };
}

async function through(child: ChildProcess): Promise<void> {
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`the queue was not filled: exit code ${code}`);
}

function known(ratios: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(Object.entries(ratios).filter((pair): pair is [string, number] => pair[1] !== undefined));
}
