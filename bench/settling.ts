/**
 * `npm run bench -- settling`: what settling and commits cost Redis while a million jobs wait, idle and while workers
 * finish them: processor time of Redis's main thread, which other load on the machine does not change. Jobs are
 * finished here by plain commands, as Sluice's hosts do it (the job and its ledger entry go) and as stock workers do it
 * (the job is listed as completed); what these commands cost is measured while the bridge is stopped, and taken off.
 * For a stock worker the bridge takes the job away too, as the worker itself does otherwise: what this alone costs is
 * told beside.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { silentLog } from '../src/log.ts';
import { connect, type Redis } from '../src/redis/connection.ts';
import { up } from '../stack/stack.ts';
import { startRedis } from '../test/support/redis.ts';
import { ROOT } from './contest.ts';
import { envelope } from './payload.ts';
import { fillTopic, PARTITIONS } from './topic.ts';

const { values } = parseArgs({
  allowPositionals: true,
  options: { records: { type: 'string', default: '1000000' }, finish: { type: 'string', default: '100000' } },
});
const records = Number(values.records);
const toFinish = Number(values.finish);
const IDLE_MS = 20_000;
const A_PIPELINE = 500;
/** Jobs a second. */
const RATE = 10_000;
const PREFIX = 'bull:filled';

let bases: Record<string, string> | undefined;
let finished = 0;

const { KAFKA_BROKERS } = await up({ install: true });
const topic = `settling.${process.pid}`;
const value = envelope();
await fillTopic({ topic, brokers: KAFKA_BROKERS, records, value: () => value });
const server = await startRedis();
const redis = connect('bench', server, 'command', silentLog);
const bridge = spawn(process.execPath, ['bin/sluice.js', 'bridge'], {
  cwd: ROOT,
  env: {
    ...process.env,
    KAFKA_BROKERS,
    REDIS_URL: server.url,
    SLUICE_KAFKA__GROUP_ID: topic,
    SLUICE_TOPICS: JSON.stringify({ [topic]: { queue: 'filled' } }),
    SLUICE_LOG__LEVEL: 'error',
  },
  stdio: ['ignore', 'ignore', 'inherit'],
});
await until(async () => Number(await redis.get(`${PREFIX}:id`)) >= records);

bridge.kill('SIGSTOP');
const still = await cpuUsec(() => pause(IDLE_MS));
bridge.kill('SIGCONT');
await pause(1_000);
const idle = (await cpuUsec(() => pause(IDLE_MS))) - still;
const own = await costOf(asOwnHosts);
const stock = await costOf(asStockWorkers);
const removal = await removalCost();
const result = {
  records,
  idleShareOfRedis: round(idle / (IDLE_MS * 1_000), 5),
  finished: toFinish,
  usecOfRedisAJob: { ownHosts: round(own, 2), stockWorkers: round(stock, 2), ofThatTheRemoval: round(removal, 2) },
};
mkdirSync(`${ROOT}bench/results`, { recursive: true });
writeFileSync(`${ROOT}bench/results/settling.json`, `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(result)}\n`);
await new Promise((resolve) => {
  bridge.once('close', resolve);
  bridge.kill('SIGKILL');
});
redis.disconnect();
await server.stop();
process.exit(0);

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
  bases ??= await ledgers();
  return { base: bases[source] ?? '', chunk: Math.floor(Number(offset) / 512), slot: Number(offset) % 512 };
}

/** By the prefix of their job ids. */
async function ledgers(): Promise<Record<string, string>> {
  const keys = await redis.keys('sluice:sources:*');
  const pairs = keys.map(async (key) => [key.slice('sluice:sources:'.length), (await redis.smembers(key))[0] ?? '']);
  return Object.fromEntries(await Promise.all(pairs)) as Record<string, string>;
}

async function unsettled(): Promise<number> {
  bases ??= await ledgers();
  const counts = await Promise.all(Object.values(bases).map((base) => countUnsettled(redis, base)));
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
