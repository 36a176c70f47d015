import { request } from 'node:http';
import { createServer } from 'node:net';
import { Queue } from 'bullmq';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { dashboardConfig } from '../../src/dashboard/config.ts';
import { createDashboard, type Dashboard } from '../../src/dashboard/dashboard.ts';
import { createQueueFinder } from '../../src/dashboard/queue-finder.ts';
import { silentLog } from '../../src/log.ts';
import { redisConfig } from '../../src/redis/config.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const SOON = { timeout: 15_000, interval: 50 };

let server: TestRedis;
let redis: Redis;
let queue: Queue;
let dashboard: Dashboard;

async function startDashboard(servers: Readonly<Record<string, TestRedis>>, queues = {}): Promise<Dashboard> {
  const made = createDashboard({
    config: dashboardConfig.parse({ port: 0 }),
    redis: Object.fromEntries(Object.entries(servers).map(([name, { url }]) => [name, redisConfig.parse({ url })])),
    queues,
    log: silentLog,
  });
  await made.start();
  return made;
}

/** A Redis with one queue that holds one job. */
async function withJob(server: TestRedis, name: string): Promise<void> {
  const connection = connect('main', server, 'worker', silentLog);
  await new Queue(name, { connection }).add('acme.v1.Send', { to: 'ada' });
  await disconnect(connection);
}

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'worker', silentLog);
  queue = new Queue('mail', { connection: redis });
  await queue.add('acme.v1.Send', { to: 'ada' });
  dashboard = await startDashboard({ main: server });
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
function ask(path: string, headers: Record<string, string> = {}, method = 'GET', of = dashboard): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, of.address());
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
  [
    'a frame in another site',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    'GET',
  ],
  ['a change', {}, 'PUT'],
  ['a change of another site', { 'sec-fetch-site': 'cross-site' }, 'POST'],
])('refuses %s', async (_name, headers, method) => {
  expect((await ask('/queues/api/queues/mail/pause', headers as Record<string, string>, method)).status).toBe(403);
  expect(await queue.isPaused()).toBe(false);
});

it('lets a link on another site lead here', async () => {
  const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
  expect((await ask('/queues', headers)).status).toBe(200);
});

it('may neither be framed nor run what is not its own', async () => {
  const { headers, body } = await ask('/queues');
  expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
  expect(headers['content-security-policy']).toContain("default-src 'self'");
  // Scripts of the page are files of its own; what stands between the tags is data.
  const scripts = [...body.matchAll(/<script([^>]*)>/g)].map(([, attributes = '']) => attributes);
  expect(scripts.every((attributes) => /src="static|type="application\/json"/.test(attributes))).toBe(true);
  const source = /src="(static[^"]+)"/.exec(body)?.[1];
  expect((await ask(`/queues/${source}`)).status).toBe(200);
});

it("shows a lean queue's jobs", async () => {
  await redis.hset('bull:mail:k~t~0~0~0', { name: 'a.B', data: '{}', opts: '{"sl":{}}', timestamp: 1_790_000_000_000 });
  await redis.lpush('bull:mail:wait', 'k~t~0~0~0');
  const list = await ask('/queues/api/queues?activeQueue=mail&status=waiting&page=1');
  expect(list.status).toBe(200);
  const { queues } = JSON.parse(list.body) as { queues: { name: string; jobs: { id: string }[] }[] };
  const jobs = queues.find(({ name }) => name === 'mail')?.jobs ?? [];
  expect(jobs.find(({ id }) => id === 'k~t~0~0~0')).toMatchObject({ name: 'a.B', opts: { sl: {} }, attempts: 0 });
  const { status, body } = await ask('/queues/api/queues/mail/k~t~0~0~0');
  expect([status, JSON.parse(body)]).toMatchObject([200, { job: { name: 'a.B' }, status: 'waiting' }]);
});

it('finds queues among many keys, a bounded number at a time', async () => {
  const full = await startRedis({ extra: ['--enable-debug-command', 'local'] });
  const connection = connect('main', full, 'worker', silentLog);
  await connection.call('DEBUG', 'POPULATE', 60_000, 'bull:default', 10);
  await withJob(full, 'rare');
  const finder = createQueueFinder(connection, 'bull');
  const before = await scanCalls(connection);
  await finder.step();
  expect((await scanCalls(connection)) - before).toBeLessThanOrEqual(25);
  const found = new Set<string>();
  for (let i = 0; i < 3; i += 1) for (const name of await finder.step()) found.add(name);
  expect([...found]).toEqual(['rare']);
  await disconnect(connection);
  await full.stop();
});

async function scanCalls(connection: Redis): Promise<number> {
  return Number(/cmdstat_scan:calls=(\d+)/.exec(await connection.info('commandstats'))?.[1] ?? 0);
}

it('tells queues of one name apart, and shows the others while one Redis is away', async () => {
  const second = await startRedis();
  await withJob(second, 'mail');
  const both = await startDashboard({ main: server, far: second });
  const names = async () => {
    const { status, body } = await ask('/queues/api/queues', {}, 'GET', both);
    expect(status).toBe(200);
    return (JSON.parse(body) as { queues: { name: string }[] }).queues.map(({ name }) => name).sort();
  };
  await vi.waitFor(async () => expect(await names()).toEqual(['far.mail', 'main.mail']), SOON);
  expect((await ask('/readyz', {}, 'GET', both)).status).toBe(200);
  await second.kill();
  await vi.waitFor(async () => expect(await names()).toEqual(['main.mail']), SOON);
  expect((await ask('/', {}, 'GET', both)).body).toContain('Redis does not answer: far.');
  expect(await ask('/readyz', {}, 'GET', both)).toMatchObject({
    status: 503,
    body: '{"status":"away","redis":["far"]}',
  });
  await both.stop(1_000);
  await second.stop();
});

it.each([
  ['is away', (own: TestRedis) => own.kill(), (own: TestRedis) => own.restart()],
  ['hangs', async (own: TestRedis) => own.pause(), async (own: TestRedis) => own.resume()],
])('starts while Redis %s, says so, and goes on by itself', async (_state, lose, bringBack) => {
  const own = await startRedis();
  await lose(own);
  const waiting = await startDashboard({ main: own }, { mail: { redis: 'main' } });
  const since = Date.now();
  expect((await ask('/', {}, 'GET', waiting)).body).toContain('Redis does not answer: main.');
  expect((await ask('/queues', {}, 'GET', waiting)).status).toBe(200);
  expect((await ask('/queues/api/queues', {}, 'GET', waiting)).status).toBe(503);
  expect(Date.now() - since).toBeLessThan(9_000);
  await bringBack(own);
  await withJob(own, 'mail');
  await vi.waitFor(async () => {
    const { status, body } = await ask('/queues/api/queues?activeQueue=mail', {}, 'GET', waiting);
    expect([status, body]).toEqual([200, expect.stringContaining('acme.v1.Send')]);
  }, SOON);
  await waiting.stop(1_000);
  await own.stop();
});

it('answers while Redis hangs', async () => {
  server.pause();
  const since = Date.now();
  expect((await ask('/livez')).status).toBe(200);
  expect((await ask('/readyz')).status).toBe(503);
  expect((await ask('/queues/api/queues?page=1')).status).toBeGreaterThanOrEqual(500);
  expect(Date.now() - since).toBeLessThan(9_000);
  server.resume();
  await vi.waitFor(async () => expect((await ask('/queues/api/queues?page=1')).status).toBe(200), SOON);
});

it('starts with a port that is taken, says once which setting to change, and listens when the port comes free', async () => {
  const other = createServer();
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port));
  });
  const said: [object, string][] = [];
  const log = { ...silentLog, warn: (fields: object, text: string) => void said.push([fields, text]) };
  const waiting = createDashboard({ config: dashboardConfig.parse({ port }), redis: {}, queues: {}, log });
  await waiting.start();
  expect(waiting.address()).toBe('');
  expect(said).toEqual([
    [{ reason: expect.stringMatching(/^127\.0\.0\.1:\d+ is taken.*SLUICE_DASHBOARD__PORT/) }, expect.any(String)],
  ]);
  await new Promise((resolve) => other.close(resolve));
  await vi.waitFor(() => expect(waiting.address()).toBe(`http://127.0.0.1:${port}`), SOON);
  await waiting.stop(1_000);
});
