/**
 * From the making of a record to the start of its worker, through bridge, queue and host, beside a bare KafkaJS consumer of
 * the same topic at the same time. A thousand a second is next to nothing; twenty thousand is a load for two cores.
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { end, node, pause, startRedis } from './contest.ts';
import { startHost } from './drain.ts';
import { bridge, filled } from './fill.ts';
import type { Part, Rows } from './part.ts';
import { quantile, rounded, type Spread, spreadOf } from './statistics.ts';
import { makeTopic } from './topic.ts';

const RATES = [1_000, 20_000];
/** At 20,000 a second, 100 places are just not enough while all share two cores. */
const CONCURRENCY = 600;
const MORE_ROUNDS = 2;
const SECONDS = 10;
const QUICK_SECONDS = 4;
/** To start, to join, and to be compiled while running. */
const START_MS = 6_000;
const WARM_SECONDS = 3;
const CATCH_UP_MS = 2_000;

export const latency: Part = async ({ brokers, rounds, isQuick }) => {
  const rows: Record<string, Rows[string]> = {};
  const seconds = isQuick ? QUICK_SECONDS : SECONDS;
  for (const rate of isQuick ? RATES.slice(0, 1) : RATES) {
    const races: Race[] = [];
    // One pause of the machine is a hundredth of ten seconds: more rounds than elsewhere.
    for (let round = 0; round < (rate === RATES[0] ? rounds + MORE_ROUNDS : 1); round++)
      races.push(await race(brokers, rate, seconds));
    rows[`sluice at ${rate}/s`] = spreads(races.map(({ sluice }) => percentiles(sluice, seconds)));
    rows[`kafkajs at ${rate}/s`] = spreads(races.map(({ kafkajs }) => percentiles(kafkajs, seconds)));
  }
  if (!isQuick) {
    const { sluice } = await race(brokers, RATES[0] as number, seconds, true);
    rows[`sluice at ${RATES[0]}/s, a bridge joins and leaves`] = percentiles(sluice, seconds);
  }
  const p99 = (name: string) => (rows[`${name} at ${RATES[0]}/s`]?.p99Ms as Spread | undefined)?.median ?? Number.NaN;
  return { rows, figures: { startLatencyP99Ms: p99('sluice'), kafkajsLatencyP99Ms: p99('kafkajs') } };
};

/** Ages in milliseconds, in order of arrival. */
type Race = Readonly<Record<'sluice' | 'kafkajs', readonly number[]>>;

async function race(brokers: string, rate: number, seconds: number, isRebalanced = false): Promise<Race> {
  const topic = `bench.latency.${process.pid}.${Date.now()}`;
  await makeTopic({ topic, brokers });
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const file = (name: string) => join(dir, `${name}.json`);
  const server = await startRedis();
  const startBridge = () => bridge(brokers, topic, { queue: 'filled' }, filled).start(server, 0);
  const running = [
    node(['bench/contestants/consume.ts', brokers, topic], { BENCH_AGES: file('kafkajs') }),
    startBridge(),
    startHost(brokers, server.url, 'timed', { BENCH_AGES: file('sluice') }, CONCURRENCY),
  ];
  await pause(START_MS);
  const toldSeconds = String(WARM_SECONDS + seconds);
  const produced = through(node(['bench/contestants/produce.ts', brokers, topic, String(rate), toldSeconds]));
  if (isRebalanced) await joinAndLeave(startBridge, seconds);
  await produced;
  await pause(CATCH_UP_MS);
  await Promise.all(running.map((child) => end(child, 'SIGTERM')));
  await server.stop();
  return { sluice: agesIn(file('sluice')), kafkajs: agesIn(file('kafkajs')) };
}

/** A second bridge of the group, for half of the time that counts. */
async function joinAndLeave(startBridge: () => ChildProcess, seconds: number): Promise<void> {
  await pause((WARM_SECONDS + seconds / 4) * 1_000);
  const second = startBridge();
  await pause((seconds / 2) * 1_000);
  await end(second, 'SIGTERM');
}

/** In order of arrival. */
function agesIn(file: string): number[] {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as number[]) : [];
}

/** Of all but the warming up. */
function percentiles(ages: readonly number[], seconds: number): Record<string, number> {
  const share = seconds / (WARM_SECONDS + seconds);
  const sorted = ages.slice(Math.floor(ages.length * (1 - share))).sort((a, b) => a - b);
  const at = (part: number) => rounded(quantile(sorted, part));
  return { jobs: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) };
}

function spreads(rounds: readonly Record<string, number>[]): Record<string, Spread> {
  const names = Object.keys(rounds[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, spreadOf(rounds.map((each) => each[name] as number))]));
}

function through(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once('close', resolve));
}
