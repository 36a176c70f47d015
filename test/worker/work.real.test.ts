import { Queue } from 'bullmq';
import { expect, test, vi } from 'vitest';
import { folder } from '../cli/run.ts';
import { startRedis } from '../support/redis.ts';
import { runSluice } from '../support/sluice.ts';

const files = {
  'workers/ping.mjs': `import { defineWorker } from 'sluice';
export default defineWorker('acme.v1.Ping', { queue: 'pings', run() { console.warn('mine'); } });`,
  'workers/ping.proto': 'syntax = "proto3"; package acme.v1; message Ping {}',
};

test('work tells of the first job of a queue alone, and every line is a line of the log', async () => {
  const redis = await startRedis({ maxmemory: '64mb', policy: 'allkeys-lru' });
  const work = runSluice(['work'], { cwd: folder(files), env: { REDIS_URL: redis.url } });
  const queue = new Queue('pings', { connection: { url: redis.url } });
  const { warn } = console;
  console.warn = () => undefined;
  await queue.addBulk([1, 2, 3].map(() => ({ name: 'acme.v1.Ping', data: {} })));
  console.warn = warn;
  await vi.waitFor(async () => expect(await queue.getCompletedCount()).toBe(3), { timeout: 20_000, interval: 100 });
  await queue.close();
  expect(await work.kill('SIGTERM')).toBe(0);
  const lines = work.stderr().trim().split('\n');
  const logged = lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(logged.filter(({ msg }) => msg === 'first job of the queue')).toEqual([
    expect.objectContaining({ queue: 'pings', message: 'acme.v1.Ping' }),
  ]);
  expect(logged.filter(({ reason }) => String(reason).includes('Eviction policy is allkeys-lru'))).toHaveLength(1);
  // What the worker itself prints is left alone.
  expect(lines.filter((line) => !line.startsWith('{'))).toEqual(['mine', 'mine', 'mine']);
  await redis.stop();
});
