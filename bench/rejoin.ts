/**
 * How long partitions stand still when one of two bridges goes: asked to, and by kill -9 with a session of ten seconds. A
 * steady trickle of records shows it: each ledger's offset is read every few milliseconds. Every record must have made one job.
 */

import { silentLog } from '../src/log.ts';
import type { Redis } from '../src/redis/connection.ts';
import { connect } from '../src/redis/connection.ts';
import { end, node, pause, startRedis } from './contest.ts';
import { bridge, filled } from './fill.ts';
import type { Part } from './part.ts';
import { makeTopic, PARTITIONS } from './topic.ts';

const RATE = 1_000;
const START_MS = 8_000;
const LOOK_MS = 20;
const GONE_WITHIN_MS = 25_000;
/** Longer than a partition is silent between two of its records. */
const SILENT_MS = 100;

export const rejoin: Part = async ({ brokers }) => {
  const graceful = await departure(brokers, 'SIGTERM');
  const killed = await departure(brokers, 'SIGKILL');
  return {
    rows: { graceful, 'kill -9, session 10 s': killed },
    figures: { rejoinGracefulSeconds: graceful.standstillSeconds, rejoinKilledSeconds: killed.standstillSeconds },
  };
};

async function departure(brokers: string, signal: 'SIGTERM' | 'SIGKILL') {
  const topic = `bench.rejoin.${process.pid}.${signal}`;
  await makeTopic({ topic, brokers });
  const server = await startRedis();
  const redis = connect('bench', server, 'command', silentLog);
  const start = () => bridge(brokers, topic, { queue: 'filled' }, filled).start(server, 0);
  const [leaving, staying] = [start(), start()];
  await pause(START_MS);
  const seconds = (GONE_WITHIN_MS + 5_000) / 1_000;
  const producer = node(['bench/contestants/produce.ts', brokers, topic, String(RATE), String(seconds)]);
  const produced = new Promise((resolve) => producer.once('close', resolve));
  await pause(5_000);
  void end(leaving, signal);
  const standstill = await longestStandstill(redis, topic);
  await produced;
  await until(async () => (await filled(redis)) >= RATE * seconds);
  const duplicates = await duplicatesIn(redis);
  await end(staying, 'SIGTERM');
  redis.disconnect();
  await server.stop();
  return { standstillSeconds: Math.round(standstill) / 1_000, duplicates };
}

/** Of any partition, from the departure on. */
async function longestStandstill(redis: Redis, topic: string): Promise<number> {
  const keys = (await redis.keys(`sluice:ledger:*:${topic}:*`)).filter((key) => /:\d+$/.test(key)).slice(0, PARTITIONS);
  const since = keys.map(() => ({ at: performance.now(), offset: '' }));
  const deadline = performance.now() + GONE_WITHIN_MS;
  let longest = 0;
  while (performance.now() < deadline) {
    const offsets = await Promise.all(keys.map((key) => redis.hget(key, 'enqueued')));
    const now = performance.now();
    for (const [i, offset] of offsets.entries()) {
      const last = since[i] as (typeof since)[number];
      longest = Math.max(longest, now - last.at);
      if (offset !== last.offset) since[i] = { at: now, offset: offset ?? '' };
    }
    await pause(LOOK_MS);
  }
  return Math.max(0, longest - SILENT_MS);
}

/** Jobs that were added more often than once, or lie in the queue twice. */
async function duplicatesIn(redis: Redis): Promise<number> {
  const ids = await redis.lrange('bull:filled:wait', 0, -1);
  return Math.max((await filled(redis)) - new Set(ids).size, ids.length - new Set(ids).size);
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + GONE_WITHIN_MS;
  while (!(await condition()) && Date.now() < deadline) await pause(LOOK_MS);
}
