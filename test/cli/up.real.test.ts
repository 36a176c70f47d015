import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Status } from '../../src/cli/status/shape.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';
import { kafkaBrokers } from '../support/stack.ts';
import { folder, isAlive, run } from './run.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

const started: Running[] = [];
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.kill('SIGKILL')));
});

const WORKER = `
import { defineWorker } from 'sluice';
export default defineWorker('acme.v1.Ping', { run() {} });`;
const PROTO = 'syntax = "proto3"; package acme.v1; message Ping { string text = 1; }';

function up(files: Record<string, string>, flags: string[] = [], surroundings: Record<string, string> = {}): Running {
  return start(['up', ...flags], files, surroundings);
}

function start(args: string[], files: Record<string, string>, surroundings: Record<string, string> = {}): Running {
  const cwd = folder(files);
  const id = `e-${randomUUID().slice(0, 8)}`;
  const env = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    REDIS_URL: redis.url,
    SLUICE_KAFKA__GROUP_ID: id,
    SLUICE_TOPICS: JSON.stringify({ [id]: {} }),
    SLUICE_DASHBOARD__PORT: '0',
    SLUICE_WORK__DRAIN_MS: '3000',
    ...surroundings,
  };
  const running = runSluice(args, { cwd, env });
  started.push(running);
  return running;
}

interface Line {
  readonly role?: string;
  readonly pid?: number;
  readonly child?: string;
  readonly childPid?: number;
  readonly exitCode?: number | null;
  readonly msg: string;
}

function lines(running: Running): Line[] {
  const texts = running
    .stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  return texts.map((text) => JSON.parse(text) as Line);
}

function pidsOf(running: Running, child: string): number[] {
  return lines(running).flatMap((line) =>
    line.msg === 'child started' && line.child === child ? [line.childPid as number] : [],
  );
}

const ROLES = ['bridge', 'work-1', 'dashboard'];
const good = { 'workers/ping.mjs': WORKER, 'workers/ping.proto': PROTO, 'package.json': '{}' };

async function allStarted(running: Running): Promise<number[]> {
  await vi.waitFor(() => expect(ROLES.map((role) => pidsOf(running, role).length)).toEqual([1, 1, 1]), {
    timeout: 20_000,
  });
  return ROLES.flatMap((role) => pidsOf(running, role));
}

test('every role is a child that comes back within seconds after kill -9', async () => {
  const running = up(good);
  await allStarted(running);
  for (const role of ROLES) {
    process.kill(pidsOf(running, role)[0] as number, 'SIGKILL');
    await vi.waitFor(() => expect(pidsOf(running, role)).toHaveLength(2), { timeout: 5_000 });
    expect(isAlive(pidsOf(running, role)[1] as number)).toBe(true);
  }
});

test('work --processes runs as many hosts, each started again when it ends', async () => {
  const running = start(['work', '--processes', '2'], good);
  const counts = () => ['work-1', 'work-2'].map((child) => pidsOf(running, child).length);
  await vi.waitFor(() => expect(counts()).toEqual([1, 1]), { timeout: 20_000 });
  process.kill(pidsOf(running, 'work-2')[0] as number, 'SIGKILL');
  await vi.waitFor(() => expect(counts()).toEqual([1, 2]), { timeout: 20_000 });
  const pids = ['work-1', 'work-2'].flatMap((child) => pidsOf(running, child));
  expect(await running.kill('SIGTERM')).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test.each(['0', '257'])('--processes %s is refused, and says what is allowed', async (processes) => {
  const running = start(['work', '--processes', processes], good);
  expect(await running.ended).toBe(3);
  expect(running.stderr()).toMatch(/work\.processes.*--processes/s);
});

test('SIGTERM stops all of it, exit 0', async () => {
  const running = up(good);
  const pids = await allStarted(running);
  expect(await running.kill('SIGTERM')).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test.each([
  ['SIGINT', 'a terminal'],
  ['SIGTERM', 'a service manager'],
] as const)('%s to the whole group, as %s sends it, is one request and not two', async (signal, _who) => {
  const running = up(good);
  const pids = await allStarted(running);
  const listening = ['workers started', 'dashboard listens', 'gate opened'];
  await vi.waitFor(() => expect(lines(running).map(({ msg }) => msg)).toEqual(expect.arrayContaining(listening)), {
    timeout: 20_000,
  });
  for (const pid of pids) process.kill(pid, signal);
  expect(await running.kill(signal)).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
  const ends = lines(running).filter(({ msg }) => msg === 'child stopped');
  expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
});

test('SIGTERM that npm passes on once more is one request, and not two', async () => {
  const running = up(good);
  const pids = await allStarted(running);
  running.child.kill('SIGTERM');
  await vi.waitFor(() => expect(running.stderr() + running.stdout()).toContain('"stopping"'), { interval: 5 });
  expect(await running.kill('SIGTERM')).toBe(0);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('when the supervisor is killed, its children stop by themselves', async () => {
  const running = up(good);
  const pids = await allStarted(running);
  expect(running.child.kill('SIGKILL')).toBe(true);
  await vi.waitFor(() => expect(pids.filter(isAlive)).toEqual([]), { timeout: 15_000, interval: 200 });
});

test.each([
  ['a worker that does not load', { ...good, 'workers/bad.mjs': 'const x = 1;\nx.y.z();' }, /workers\/bad\.mjs:2: /],
  ['a worker without a schema', { 'workers/ping.mjs': WORKER }, /acme\.v1\.Ping/],
  ['a broken .proto', { ...good, 'workers/bad.proto': 'syntax = "proto3";\nmessage {' }, /bad\.proto.*2/],
  [
    'a wrong configuration',
    { ...good, 'sluice.config.mjs': 'export default {\n  kafak: {} };' },
    /kafak \(sluice\.config\.mjs:2\)/,
  ],
])('%s: one clear error, exit 3, nothing started', async (_what, files, words) => {
  const running = up(files);
  expect(await running.ended).toBe(3);
  expect(running.stderr()).toMatch(words);
  expect(running.stderr().match(/^sluice: /gm)).toHaveLength(1);
  expect(running.stderr()).not.toContain('child started');
});

test('with Kafka and Redis away it says which, keeps trying, and stops within seconds', async () => {
  const away = { KAFKA_BROKERS: '127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:2', SLUICE_WORK__DRAIN_MS: '25000' };
  const running = up(good, [], away);
  await vi.waitFor(
    () => {
      const said = lines(running).map(({ msg }) => msg);
      expect(said).toEqual(expect.arrayContaining(['kafka is away; trying again', 'redis is away; trying again']));
    },
    { timeout: 40_000 },
  );
  expect(lines(running).find(({ msg }) => msg === 'starting')).toMatchObject({
    brokers: ['127.0.0.1:1'],
    brokersFrom: 'KAFKA_BROKERS',
    redis: [{ redis: 'main', url: 'redis://127.0.0.1:2', from: 'REDIS_URL' }],
  });
  expect(lines(running).filter(({ msg }) => msg.startsWith('child ended'))).toEqual([]);
  const began = Date.now();
  expect(await running.kill('SIGTERM')).toBe(0);
  expect(Date.now() - began).toBeLessThan(12_000);
});

test('status right after the start shows the gate as it is', async () => {
  const id = `e-${randomUUID().slice(0, 8)}`;
  const env = {
    KAFKA_BROKERS: kafkaBrokers().join(),
    REDIS_URL: redis.url,
    SLUICE_KAFKA__GROUP_ID: id,
    SLUICE_TOPICS: JSON.stringify({ [id]: {} }),
  };
  const running = up(good, [], env);
  await vi.waitFor(() => expect(lines(running).map(({ msg }) => msg)).toContain('gate opened'), { timeout: 20_000 });
  const { code, stdout } = await run(['status', '--json'], { cwd: folder({}), env });
  expect(code).toBe(0);
  const [{ gate }] = (JSON.parse(stdout) as Status).redis as [Status['redis'][number]];
  expect(gate).toMatchObject({ isOpen: true, cause: 'room' });
  expect(gate?.closeAtBytes).toBeGreaterThan(0);
});

test('a dashboard port that is taken is told, and stops neither bridge nor workers', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const running = up(good, [], { SLUICE_DASHBOARD__PORT: String(port) });
  const working = ['gate opened', 'workers started', 'no dashboard for now; trying again'];
  await vi.waitFor(() => expect(lines(running).map(({ msg }) => msg)).toEqual(expect.arrayContaining(working)), {
    timeout: 20_000,
  });
  expect(running.stderr()).toContain(`127.0.0.1:${port} is taken`);
  expect(running.stderr()).toContain('SLUICE_DASHBOARD__PORT');
  other.close();
  await vi.waitFor(() => expect(lines(running).map(({ msg }) => msg)).toContain('dashboard listens'), {
    timeout: 20_000,
  });
  expect(lines(running).filter(({ msg }) => msg.startsWith('child ended'))).toEqual([]);
  expect(await running.kill('SIGTERM')).toBe(0);
});

test('a worker whose own timer throws takes its host down, which comes back', async () => {
  const bomb = `${WORKER}\nimport { existsSync, writeFileSync } from 'node:fs';
    if (process.argv.includes('work') && !existsSync('once')) {
      writeFileSync('once', '');
      setTimeout(() => { throw new Error('boom'); }, 1_500);
    }`;
  const running = up({ ...good, 'workers/ping.mjs': bomb });
  await vi.waitFor(() => expect(pidsOf(running, 'work-1')).toHaveLength(2), { timeout: 20_000 });
  const crash = lines(running).find(({ msg }) => msg === 'crashed');
  expect(crash).toMatchObject({ role: 'work', err: { message: 'boom' } });
  expect(pidsOf(running, 'bridge')).toHaveLength(1);
});

test.each([
  ['evicts keys', { policy: 'allkeys-lru' }, {}, /maxmemory-policy noeviction/],
  ['leaves its workers no room', { maxmemory: '64mb' }, { SLUICE_REDIS__MAIN__GATE__CLOSE_AT: '63mb' }, /closeAt.*95%/],
])('a Redis that %s: everything ends with 3 and how to mend it', async (_what, options, surroundings, words) => {
  const unfit = await startRedis(options);
  const running = up(good, [], { REDIS_URL: unfit.url, ...surroundings });
  expect(await running.ended).toBe(3);
  expect(running.stderr()).toMatch(words);
  expect(pidsOf(running, 'bridge')).toHaveLength(1);
  await unfit.stop();
});

test('all roles in one process, for debugging', async () => {
  const running = up(good, ['--single-process']);
  await vi.waitFor(() => expect(lines(running).map(({ msg }) => msg)).toContain('workers started'), {
    timeout: 20_000,
  });
  expect(running.stderr()).not.toContain('child started');
  expect(await running.kill('SIGTERM')).toBe(0);
});
