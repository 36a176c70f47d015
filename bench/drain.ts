/**
 * `npm run bench -- drain`: how fast one process drains a queue with a worker that does nothing, BullMQ's own Worker and
 * Sluice's host side by side: the same jobs, a fresh Redis each time, the contestants taking turns. A stopwatch outside
 * reads Redis, from the first hundredth of the jobs to the last; what a job costs Redis is processor time of its main
 * thread. Sluice's jobs lie in a ledger, and are settled; BullMQ's are added and removed as it does it fastest.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Queue } from 'bullmq';
import type { Job } from '../src/job/job.ts';
import { bullOptions } from '../src/job/options.ts';
import { silentLog } from '../src/log.ts';
import { leanAdder } from '../src/queue/bullmq/adder.ts';
import { createBullSink } from '../src/queue/bullmq/sink.ts';
import type { Claim } from '../src/queue/sink.ts';
import { connect, type Redis } from '../src/redis/connection.ts';
import { startRedis } from '../test/support/redis.ts';
import { PAYLOAD_BYTES, ROOT } from './topic.ts';

const LOOK_MS = 5;
const GIVE_UP_MS = 120_000;
const A_BATCH = 500;
const LEDGERS = 6;

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
});
const jobs = Number(values.jobs);
const rounds = Number(values.rounds);

const JOB: Job = {
  queue: 'drained',
  name: 'acme.web.v1.PageView',
  data: JSON.stringify({
    url: 'https://shop.example/products/kettle',
    userId: 'user-17',
    title: 'x'.repeat(PAYLOAD_BYTES - 60),
    status: 200,
  }),
  attempts: 10,
  backoff: { baseMs: 1_000, maxMs: 300_000 },
  timestamp: Date.now(),
  delayMs: 0,
  priority: 0,
  about: {},
};

interface Contestant {
  readonly fill: (redis: Redis) => Promise<void>;
  readonly args: readonly string[];
}

const sluice = (concurrency: number, ...more: string[]): Contestant => ({
  fill: fillByLedger,
  args: ['bench/contestants/drain-sluice.ts', '%url', String(concurrency), `${ROOT}proto`, ...more],
});
const stock = (concurrency: number): Contestant => ({
  fill: fillByQueue,
  args: ['bench/contestants/drain-stock.ts', '%url', String(concurrency)],
});

const CONTESTANTS: Record<string, Contestant> = {
  'stock-50': stock(50),
  'stock-100': stock(100),
  'sluice-50': sluice(50),
  'sluice-200': sluice(200),
  'batch-200': sluice(200, 'batch'),
};

interface Measured {
  readonly jobsPerSecond: number;
  readonly redisUsecAJob: number;
  readonly nodeUsecAJob: number;
}

const chosen = Object.entries(CONTESTANTS).filter(([name]) => `,${values.only || name},`.includes(`,${name},`));
const all: Record<string, Measured[]> = Object.fromEntries(chosen.map(([name]) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, contestant] of chosen) {
    const measured = await measure(contestant);
    all[name]?.push(measured);
    process.stderr.write(`round ${round + 1}: ${name} ${JSON.stringify(measured)}\n`);
  }
}
report();
process.exit(0);

async function measure({ fill, args }: Contestant): Promise<Measured> {
  const server = await startRedis();
  const redis = connect('bench', server, 'command', silentLog);
  await fill(redis);
  const cpuBefore = await cpuSeconds(redis);
  const child = spawn(
    process.execPath,
    args.map((each) => each.replace('%url', server.url)),
    { cwd: ROOT, env: process.env, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const from = jobs - Math.floor(jobs / 100);
  await leftUntil(redis, from);
  const [startedAt, nodeBefore] = [performance.now(), await processorSeconds(child)];
  const count = await left(redis);
  await leftUntil(redis, 0);
  const seconds = (performance.now() - startedAt) / 1_000;
  const node = (await processorSeconds(child)) - nodeBefore;
  const cpu = (await cpuSeconds(redis)) - cpuBefore;
  await new Promise((resolve) => {
    child.once('close', resolve);
    child.kill('SIGKILL');
  });
  redis.disconnect();
  await server.stop();
  return {
    jobsPerSecond: Math.round(count / seconds),
    redisUsecAJob: round((cpu * 1e6) / jobs),
    nodeUsecAJob: round((node * 1e6) / count),
  };
}

async function left(redis: Redis): Promise<number> {
  const [wait, active] = await Promise.all([redis.llen('bull:drained:wait'), redis.llen('bull:drained:active')]);
  return wait + active;
}

async function leftUntil(redis: Redis, count: number): Promise<void> {
  const deadline = Date.now() + GIVE_UP_MS;
  while ((await left(redis)) > count) {
    if (Date.now() > deadline) throw new Error(`${await left(redis)} of ${jobs} jobs after ${GIVE_UP_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function fillByQueue(redis: Redis): Promise<void> {
  const queue = new Queue('drained', { connection: redis });
  const data: unknown = JSON.parse(JOB.data);
  const job = { name: JOB.name, data, opts: { ...bullOptions(JOB, false), timestamp: JOB.timestamp } };
  for (let made = 0; made < jobs; made += A_BATCH) await queue.addBulk(Array.from({ length: A_BATCH }, () => job));
  await queue.close();
}

async function fillByLedger(redis: Redis): Promise<void> {
  const sink = createBullSink({ name: 'bench', redis, prefix: 'bull', adder: leanAdder() });
  const claims: Claim[] = [];
  for (let partition = 0; partition < LEDGERS; partition++) {
    const claim = (await sink.claim({ cluster: 'c', group: 'g', topic: 't', partition }, 0)) as Claim;
    await sink.reconcile(claim, []);
    claims.push(claim);
  }
  for (let made = 0; made < jobs; made += A_BATCH) {
    const turn = Math.floor(made / A_BATCH / LEDGERS);
    const claim = claims[(made / A_BATCH) % LEDGERS] as Claim;
    const first = turn * A_BATCH;
    const batch = Array.from({ length: A_BATCH }, (_, i) => ({ offset: first + i, job: JOB }));
    await sink.enqueue(claim, first - 1, { jobs: batch, last: first + A_BATCH - 1 });
  }
}

async function cpuSeconds(redis: Redis): Promise<number> {
  const cpu = await redis.info('cpu');
  const seconds = (field: string) => Number(new RegExp(`${field}_main_thread:([\\d.]+)`).exec(cpu)?.[1] ?? 0);
  return seconds('used_cpu_user') + seconds('used_cpu_sys');
}

/** User and system time of a process, by /proc; its clock ticks are hundredths of a second. */
async function processorSeconds({ pid }: ChildProcess): Promise<number> {
  const { readFile } = await import('node:fs/promises');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function medianOf(name: string, of: keyof Measured): number {
  return median((all[name] ?? []).map((each) => each[of]));
}

function report(): void {
  const names = Object.keys(all);
  const best = (kind: string) =>
    names
      .filter((name) => name.startsWith(kind))
      .sort((a, b) => medianOf(b, 'jobsPerSecond') - medianOf(a, 'jobsPerSecond'))[0] ?? '';
  const ratio = (kind: string, of: keyof Measured) =>
    Math.round((medianOf(best(kind), of) / medianOf(best('stock'), of)) * 100) / 100;
  const ratios = {
    drainVsStock: ratio('sluice', 'jobsPerSecond'),
    redisTimeVsStock: ratio('sluice', 'redisUsecAJob'),
    drainBatchVsStock: ratio('batch', 'jobsPerSecond'),
    redisTimeBatchVsStock: ratio('batch', 'redisUsecAJob'),
  };
  const medians = Object.fromEntries(
    names.map((name) => [
      name,
      {
        jobsPerSecond: medianOf(name, 'jobsPerSecond'),
        redisUsecAJob: medianOf(name, 'redisUsecAJob'),
        nodeUsecAJob: medianOf(name, 'nodeUsecAJob'),
      },
    ]),
  );
  const result = { jobs, payloadBytes: PAYLOAD_BYTES, rounds, cores: cpus().length, medians, all, ratios };
  mkdirSync(`${ROOT}bench/results`, { recursive: true });
  writeFileSync(`${ROOT}bench/results/drain.json`, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify({ medians, ratios })}\n`);
}
