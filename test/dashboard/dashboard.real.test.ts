import { request } from 'node:http';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dashboardConfig } from '../../src/dashboard/config.ts';
import { createDashboard, type Dashboard } from '../../src/dashboard/dashboard.ts';
import { silentLog } from '../../src/log.ts';
import { redisConfig } from '../../src/redis/config.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let queue: Queue;
let dashboard: Dashboard;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'worker', silentLog);
  queue = new Queue('mail', { connection: redis });
  await queue.add('acme.v1.Send', { to: 'ada' });
  dashboard = createDashboard({
    config: dashboardConfig.parse({ port: 0 }),
    redis: { main: redisConfig.parse({ url: server.url }) },
    queues: {},
    log: silentLog,
  });
  await dashboard.start();
});

afterAll(async () => {
  await dashboard.stop(2_000);
  await queue.close();
  await disconnect(redis);
  await server.stop();
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** `fetch` does not let a caller choose the Host. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, dashboard.address());
    const sent = request(url, { method, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    sent.on('error', reject);
    sent.end();
  });
}

it('shows the queues that are there, and changes none of their settings', async () => {
  const before = await redis.hgetall('bull:mail:meta');
  expect((await ask('/')).body).toContain('href="/queues"');
  expect((await ask('/queues')).status).toBe(200);
  const { status, body } = await ask('/queues/api/queues?activeQueue=mail&status=waiting&page=1');
  expect(status).toBe(200);
  expect(body).toContain('acme.v1.Send');
  expect(await redis.hgetall('bull:mail:meta')).toEqual(before);
});

it.each([
  ['a foreign Host', { host: 'evil.example' }, 'GET'],
  ['a request of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }, 'GET'],
  ['a change', {}, 'PUT'],
  ['a change of another site', { 'sec-fetch-site': 'cross-site' }, 'POST'],
])('refuses %s', async (_name, headers, method) => {
  expect((await ask('/queues/api/queues/mail/pause', headers as Record<string, string>, method)).status).toBe(403);
  expect(await queue.isPaused()).toBe(false);
});

it('is not to be framed', async () => {
  expect((await ask('/queues')).headers['content-security-policy']).toContain("frame-ancestors 'none'");
});

it('answers while Redis hangs', async () => {
  server.pause();
  const since = Date.now();
  expect((await ask('/livez')).status).toBe(200);
  const { status } = await ask('/queues/api/queues?page=1');
  expect(status).toBeGreaterThanOrEqual(200);
  expect(Date.now() - since).toBeLessThan(12_000);
  server.resume();
});
