/**
 * A stock BullMQ worker, and operators with a plain `Queue`, beside the bridge: what they finish, let die, retry and
 * remove is found out, and each record has one outcome.
 */
import { Queue, Worker } from 'bullmq';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { BridgeView } from '../../src/bridge/bridge.ts';
import { silentLog } from '../../src/log.ts';
import { readBeacons } from '../../src/presence/beacons.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const RECORDS = 2_000;
const REMOVED = 30;
const DYING = 20;
const PATIENCE = { timeout: 50_000, interval: 200 };

let server: TestRedis;
let topic: TestTopic;
let bridge: Running;
let redis: Redis;
let queue: Queue;

beforeAll(async () => {
  [server, topic] = await Promise.all([startRedis(), makeTopic(3)]);
  redis = connect('test', server, 'worker', silentLog);
  queue = new Queue('counted', { connection: redis });
  bridge = runSluice(['bridge'], { env: sluiceEnv(topic, server, 'idle-workers') });
});

afterAll(async () => {
  await bridge.kill('SIGTERM');
  await queue.close();
  await disconnect(redis);
  await topic.stop();
  await server.stop();
});

async function outcomes(): Promise<Record<string, number> | undefined> {
  const [beacon] = await readBeacons(redis, topic.groupId);
  return (beacon?.detail as BridgeView | undefined)?.outcomes[topic.topic];
}

it('settles what stock workers finish, and tells what was removed from what has completed', async () => {
  await topic.producer.sendMany(views(RECORDS));
  await vi.waitFor(async () => expect(await queue.getWaitingCount()).toBe(RECORDS), PATIENCE);
  const removed = await queue.getJobs(['waiting'], 100, 99 + REMOVED);
  for (const job of removed) await job.remove();

  const ran = new Set<string>();
  const worker = new Worker(
    'counted',
    async ({ id = '', data }) => {
      ran.add(id);
      if (Number(/\d+$/.exec((data as { url: string }).url)?.[0]) < DYING) throw new Error('cannot');
    },
    // A history that would hide from the bridge what has completed, were it heeded.
    { connection: redis, concurrency: 20, removeOnComplete: { count: 1 }, settings: { backoffStrategy: () => 1 } },
  );
  worker.on('error', () => undefined);
  await vi.waitFor(async () => expect(await queue.getJobCountByTypes('waiting')).toBe(0), PATIENCE);
  await vi.waitFor(async () => {
    for (const job of await queue.getJobs(['delayed'])) await job.promote().catch(() => undefined);
    expect(await topic.lag()).toBe(0);
  }, PATIENCE);
  await worker.close();

  expect(ran.size).toBe(RECORDS - REMOVED);
  expect(await topic.size(`${topic.topic}.dlq`)).toBe(DYING);
  expect(await queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed')).toEqual({
    waiting: 0,
    active: 0,
    delayed: 0,
    completed: 0,
    failed: 0,
  });
  await vi.waitFor(
    async () => expect(await outcomes()).toEqual({ completed: RECORDS - REMOVED - DYING, dead: DYING, gone: REMOVED }),
    PATIENCE,
  );
  expect(bridge.stderr()).toContain('jobs were removed from their queue');
});
