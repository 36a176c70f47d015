/**
 * `npm run bench -- --only settling`: what settling and commits cost Redis while a million jobs wait, idle and while workers
 * finish them: processor time of Redis's main thread, which other load on the machine does not change. Jobs are
 * finished here by plain commands, as Sluice's hosts do it (the job and its ledger entry go) and as stock workers do it
 * (the job is listed as completed); what these commands cost is measured while the bridge is stopped, and taken off.
 * For a stock worker the bridge takes the job away too, as the worker itself does otherwise: what this alone costs is
 * told beside.
 */
import type { ChildProcess } from 'node:child_process';
import { silentLog } from '../src/log.ts';
import { connect, type Redis } from '../src/redis/connection.ts';
import { end, pause, startRedis } from './contest.ts';
import { bridge as bridgeOf, filled } from './fill.ts';
import type { Part } from './part.ts';
import { envelope } from './payload.ts';
import { rounded } from './statistics.ts';
import { fillTopic, PARTITIONS } from './topic.ts';

const records = 1_000_000;
const toFinish = 100_000;
const IDLE_MS = 20_000;
const A_PIPELINE = 500;
/** Jobs a second. */
const RATE = 10_000;
const PREFIX = 'bull:filled';

let bases: Record<string, string> | undefined;
let finished = 0;
let redis: Redis;
let bridge: ChildProcess;

export const settling: Part = async ({ brokers }) => {
  const topic = `bench.settling.${process.pid}`;
  const value = envelope();
  await fillTopic({ topic, brokers, records, value: () => value });
  const server = await startRedis();
  redis = connect('bench', server, 'command', silentLog);
  bridge = bridgeOf(brokers, topic, { queue: 'filled' }, filled).start(server, 0);
  await until(async () => (await filled(redis)) >= records);
  const idleShareOfRedis = rounded(await idleShare());
  const ownHosts = rounded(await costOf(asOwnHosts));
  const stockWorkers = rounded(await costOf(asStockWorkers));
  const ofThatTheRemoval = rounded(await removalCost());
  await end(bridge);
  redis.disconnect();
  await server.stop();
  return {
    rows: { 'us of Redis a settled job': { ownHosts, stockWorkers, ofThatTheRemoval, idleShareOfRedis } },
  };
};

/** Of Redis's time, while nothing happens; what it costs without the bridge is taken off. */
async function idleShare(): Promise<number> {
  bridge.kill('SIGSTOP');
  const still = await cpuUsec(() => pause(IDLE_MS));
  bridge.kill('SIGCONT');
  await pause(1_000);
  return ((await cpuUsec(() => pause(IDLE_MS))) - still) / (IDLE_MS * 1_000);
}

/** What the bridge costs for each job that is finished so. */
async function costOf(how: Finish): Promise<number> {
  bridge.kill('SIGSTOP');
  const alone = await cpuUsec(() => finish(how));
  bridge.kill('SIGCONT');
  await settled();
  const together = await cpuUsec(async () => {
    await finish(how);
    await settled();
  });
  return (together - alone) / toFinish;
}

/** Microseconds of Redis's main thread while `work` lasts. */
async function cpuUsec(work: () => Promise<void>): Promise<number> {
  const before = await cpuSeconds();
  await work();
  return ((await cpuSeconds()) - before) * 1e6;
}

async function cpuSeconds(): Promise<number> {
  const cpu = await redis.info('cpu');
  const seconds = (field: string) => Number(new RegExp(`${field}_main_thread:([\\d.]+)`).exec(cpu)?.[1] ?? 0);
  return seconds('used_cpu_user') + seconds('used_cpu_sys');
}

/** What it costs to take completed jobs out of a queue, whoever does it. */
async function removalCost(): Promise<number> {
  bridge.kill('SIGSTOP');
  await finish(asStockWorkers);
  const usec = await cpuUsec(async () => {
    for (let done = 0; done < toFinish; done += A_PIPELINE) {
      const ids = await redis.zrange(`${PREFIX}:completed`, '0', String(A_PIPELINE - 1));
      await redis.zrem(`${PREFIX}:completed`, ...ids);
      await redis.del(...ids.flatMap((id) => [`${PREFIX}:${id}`, `${PREFIX}:${id}:logs`]));
    }
  });
  return usec / toFinish;
}

type Finish = (ids: readonly string[]) => Promise<void>;

/** Finishes jobs at the head of the line, about as fast as workers do. */
async function finish(how: Finish): Promise<void> {
  for (let done = 0; done < toFinish; done += A_PIPELINE) {
    await how((await redis.rpop(`${PREFIX}:wait`, A_PIPELINE)) ?? []);
    finished += A_PIPELINE;
    await pause((A_PIPELINE / RATE) * 1_000);
  }
}

async function settled(): Promise<void> {
  await until(async () => (await unsettled()) <= records - finished);
  await until(async () => Number(await redis.zcard(`${PREFIX}:completed`)) === 0);
}

async function asOwnHosts(ids: readonly string[]): Promise<void> {
  const pipeline = redis.pipeline();
  for (const id of ids) {
    const { base, chunk, slot } = await ledgerOf(id);
    pipeline.del(`${PREFIX}:${id}`);
    pipeline.srem(`${base}:u:${chunk}:filled`, slot);
    pipeline.sadd(`${base}:d`, chunk);
  }
  await pipeline.exec();
}

async function asStockWorkers(ids: readonly string[]): Promise<void> {
  const pipeline = redis.pipeline();
  const now = Date.now();
  for (const id of ids) {
    pipeline.hset(`${PREFIX}:${id}`, 'finishedOn', now, 'returnvalue', 'null');
    pipeline.zadd(`${PREFIX}:completed`, String(now), id);
  }
  await pipeline.exec();
}

async function ledgerOf(id: string): Promise<{ base: string; chunk: number; slot: number }> {
  const [, source = '', offset = '0'] = /^(k~.*~)(\d+)$/.exec(id) ?? [];
  bases ??= await ledgersByPrefix();
  return { base: bases[source] ?? '', chunk: Math.floor(Number(offset) / 512), slot: Number(offset) % 512 };
}

/** By the prefix of their job ids. */
async function ledgersByPrefix(): Promise<Record<string, string>> {
  const keys = await redis.keys('sluice:sources:*');
  const pairs = keys.map(async (key) => [key.slice('sluice:sources:'.length), (await redis.smembers(key))[0] ?? '']);
  return Object.fromEntries(await Promise.all(pairs)) as Record<string, string>;
}

async function unsettled(): Promise<number> {
  bases ??= await ledgersByPrefix();
  // A ledger has two prefixes: with the mark of its group, as Sidekiq's jobs have, and without.
  const ledgers = new Set(Object.values(bases));
  const counts = await Promise.all([...ledgers].map((base) => countUnsettled(redis, base)));
  return counts.reduce((sum, each) => sum + each, 0);
}

async function countUnsettled(client: Redis, base: string): Promise<number> {
  const pipeline = client.pipeline();
  for (let chunk = 0; chunk <= (2 * records) / PARTITIONS / 512; chunk++) pipeline.scard(`${base}:u:${chunk}:filled`);
  return ((await pipeline.exec()) ?? []).reduce((sum, [, count]) => sum + Number(count), 0);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await pause(1_000);
}
