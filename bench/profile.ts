/**
 * Where a bridge's microseconds go: Node's own profiler over a whole fill, the samples told apart by whose code they were in.
 * Of the main thread alone, from when the bridge is warm until it is stopped; the shares are of the time that it was busy.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../src/log.ts';
import { connect } from '../src/redis/connection.ts';
import { type Contestant, end, pause, startRedis } from './contest.ts';
import { bridge, filled } from './fill.ts';
import type { Part, Rows } from './part.ts';
import { envelope, sidekiqJob } from './payload.ts';
import { settled, waiting } from './sidekiq.ts';
import { rounded } from './statistics.ts';
import { fillTopic } from './topic.ts';

const RECORDS = 400_000;
const LOOK_MS = 20;
/** Of the samples: what comes before is starting and compiling. */
const WARM_SHARE = 0.4;

/** The first that fits. */
const AREAS: readonly (readonly [name: string, where: RegExp])[] = [
  ['collecting garbage', /^\(garbage collector\)/],
  ['KafkaJS', /node_modules\/(kafkajs|long)/],
  ['the Redis client', /node_modules\/(ioredis|redis-parser)/],
  ['sockets and buffers', /node:|writeUtf8String|utf8Slice|writev|writeBuffer/],
  ['schema: bytes to JSON', /src\/schema/],
  ['job: placing, Sidekiq texts', /src\/job/],
  ['queue: packing of batches', /src\/(queue|redis)/],
  ['bridge: stages', /src\/bridge/],
  ['kafka: records', /src\/kafka/],
];

export const profile: Part = async ({ brokers }) => {
  const value = envelope();
  const bullmq = await shares(brokers, 'bullmq', { queue: 'filled' }, () => value, filled);
  const sidekiq = await shares(brokers, 'sidekiq', settled, sidekiqJob, waiting);
  return { rows: { 'percent of the main thread, BullMQ': bullmq, 'percent of the main thread, Sidekiq': sidekiq } };
};

async function shares(
  brokers: string,
  name: string,
  settings: object,
  value: (n: number) => Buffer,
  count: Contestant['count'],
): Promise<Rows[string]> {
  const topic = `bench.profile.${name}.${process.pid}`;
  await fillTopic({ topic, brokers, records: RECORDS, value });
  const dir = mkdtempSync(join(tmpdir(), 'sluice-profile-'));
  const server = await startRedis();
  const redis = connect('bench', server, 'command', silentLog);
  const child = bridge(brokers, topic, settings, count, 'profile', ['--cpu-prof', `--cpu-prof-dir=${dir}`]).start(
    server,
    0,
  );
  while ((await count(redis)) < RECORDS) await pause(LOOK_MS);
  await end(child, 'SIGTERM');
  redis.disconnect();
  await server.stop();
  const found = byArea(JSON.parse(readFileSync(join(dir, readdirSync(dir)[0] as string), 'utf8')) as Profile);
  rmSync(dir, { recursive: true });
  return found;
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: { functionName: string; url: string } }[];
  readonly samples: readonly number[];
}

function byArea({ nodes, samples }: Profile): Rows[string] {
  const frames = new Map(nodes.map(({ id, callFrame: { functionName, url } }) => [id, `${functionName} ${url}`]));
  const warm = samples.slice(Math.floor(samples.length * WARM_SHARE)).map((id) => frames.get(id) ?? '');
  const busy = warm.filter((frame) => !frame.startsWith('(idle)'));
  const areas = Map.groupBy(busy, (frame) => AREAS.find(([, where]) => where.test(frame))?.[0] ?? 'the rest');
  const sorted = [...areas].sort(([, one], [, other]) => other.length - one.length);
  return Object.fromEntries(sorted.map(([area, own]) => [area, rounded((100 * own.length) / busy.length)]));
}
