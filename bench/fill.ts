/**
 * `npm run bench -- fill`: how fast a queue is filled from Kafka, by Sluice and by the usual `addBulk` loop, side by side: one
 * run, one topic, one machine, a fresh Redis each time, the contestants taking turns. A stopwatch outside both reads
 * Redis: it runs from the first job to the last.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { silentLog } from '../src/log.ts';
import { connect } from '../src/redis/connection.ts';
import { up } from '../stack/stack.ts';
import { startRedis } from '../test/support/redis.ts';
import { fillTopic, PARTITIONS, PAYLOAD_BYTES, ROOT } from './topic.ts';

const LOOK_MS = 10;
const GIVE_UP_MS = 120_000;

const { values } = parseArgs({
  allowPositionals: true,
  options: { records: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '3' } },
});
const records = Number(values.records);
const rounds = Number(values.rounds);

const { KAFKA_BROKERS } = await up({ install: true });
const topic = `bench.${process.pid}`;

/** Starts a contestant that fills the queue `filled` of the Redis at `url`. */
type Start = (url: string, round: number) => ChildProcess;

const node = (args: readonly string[], env: Record<string, string> = {}) =>
  spawn(process.execPath, [...args], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });

const CONTESTANTS: Record<string, Start> = {
  sluice: (url, round) =>
    node(['bin/sluice.js', 'bridge'], {
      KAFKA_BROKERS,
      REDIS_URL: url,
      SLUICE_KAFKA__GROUP_ID: `${topic}-${round}`,
      SLUICE_TOPICS: JSON.stringify({ [topic]: { queue: 'filled' } }),
      SLUICE_LOG__LEVEL: 'error',
    }),
  addBulk: (url) => node(['bench/contestants/add-bulk.ts', KAFKA_BROKERS, url, topic, 'proto']),
};

await fillTopic(topic, KAFKA_BROKERS.split(','), records);
const rates: Record<string, number[]> = Object.fromEntries(Object.keys(CONTESTANTS).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, start] of Object.entries(CONTESTANTS)) {
    const rate = await measure(start, round);
    rates[name]?.push(rate);
    process.stderr.write(`round ${round + 1}: ${name} ${rate} jobs/s\n`);
  }
}
report();
process.exit(0);

/** Jobs a second, from the first job seen to the last. */
async function measure(start: Start, round: number): Promise<number> {
  const server = await startRedis();
  const redis = connect('bench', server, 'command', silentLog);
  const child = start(server.url, round);
  const deadline = Date.now() + GIVE_UP_MS;
  let first: { at: number; count: number } | undefined;
  let count = 0;
  while (count < records) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    if (Date.now() > deadline) throw new Error(`only ${count} of ${records} jobs after ${GIVE_UP_MS / 1000} s`);
    count = Number((await redis.get('bull:filled:id')) ?? 0);
    if (count > 0) first ??= { at: Date.now(), count };
  }
  const seconds = (Date.now() - (first?.at ?? 0)) / 1000;
  await new Promise((resolve) => {
    child.once('close', resolve);
    child.kill('SIGKILL');
  });
  redis.disconnect();
  await server.stop();
  return Math.round((records - (first?.count ?? 0)) / seconds);
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

function report(): void {
  const medians = Object.fromEntries(Object.entries(rates).map(([name, all]) => [name, median(all)]));
  const ratios = { fillVsAddBulk: Math.round(((medians.sluice ?? 0) / (medians.addBulk ?? 1)) * 100) / 100 };
  const result = {
    records,
    payloadBytes: PAYLOAD_BYTES,
    partitions: PARTITIONS,
    rounds,
    cores: cpus().length,
    jobsPerSecond: medians,
    all: rates,
    ratios,
  };
  mkdirSync(`${ROOT}bench/results`, { recursive: true });
  writeFileSync(`${ROOT}bench/results/latest.json`, `${JSON.stringify(result, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
