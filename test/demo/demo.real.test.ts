/** The demo as a stranger runs it, over a real Kafka and a real Redis, all its processes included. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { kafkaBrokers } from '../support/stack.ts';

const DEMO = fileURLToPath(new URL('../../demo/main.ts', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let redis: TestRedis;
let dir: string;
beforeAll(async () => {
  redis = await startRedis();
  dir = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
});
afterAll(async () => {
  await redis.stop();
  rmSync(dir, { recursive: true });
});

interface Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

function runDemo(...args: string[]): Demo {
  const env = {
    ...process.env,
    KAFKA_BROKERS: kafkaBrokers().join(),
    REDIS_URL: redis.url,
    SLUICE_WORK__DRAIN_MS: '2000',
  };
  const child = spawn(process.execPath, ['--conditions=sluice-source', DEMO, ...args], { cwd: ROOT, env });
  let out = '';
  let err = '';
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return { child, ended, stdout: () => out, stderr: () => err };
}

function resultOf({ stdout }: Demo): Record<string, number> {
  return JSON.parse(stdout().trim().split('\n').at(-1) as string) as Record<string, number>;
}

function arrived(file: string): Record<string, string>[] {
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, string>);
}

it('brings every event to the receiver, and counts the same at every station', async () => {
  const dump = join(dir, 'views');
  const demo = runDemo('--messages', '2000', '--seed', '7', '--exit', '--json', '--dump', dump);
  expect(await demo.ended, demo.stderr()).toBe(0);
  expect(resultOf(demo)).toEqual({
    produced: 2000,
    enqueued: 2000,
    createdTwice: 0,
    completed: 2000,
    receivedDistinct: 2000,
    receivedTotal: expect.any(Number),
    deadLettered: 0,
    setupSeconds: expect.any(Number),
    runSeconds: expect.any(Number),
  });
  expect(new Set(arrived(dump).map(({ eid }) => eid)).size).toBe(2000);
}, 120_000);

it('brings the lines of an access log as they are, and says which are none', async () => {
  const log = join(dir, 'access.log');
  const dump = join(dir, 'lines');
  writeFileSync(
    log,
    [
      '192.0.2.1 - - [17/May/2015:10:05:03 +0200] "GET /a?b=c&d HTTP/1.1" 200 17 "http://from.example/" "Agent \\"1\\" (ü)"',
      'this is no line',
      '2001:db8::7 - ada [17/May/2015:10:05:04 +0000] "GET /b HTTP/1.1" 404 - "-" "-"',
      '',
    ].join('\n'),
  );
  const demo = runDemo('--input', log, '--exit', '--json', '--dump', dump);
  expect(await demo.ended, demo.stderr()).toBe(0);
  expect(demo.stderr()).toMatch(/line 2 is no line of an access log/);
  expect(resultOf(demo)).toMatchObject({ produced: 2, receivedDistinct: 2 });
  const events = arrived(dump).sort((a, b) => Number(a.dtm) - Number(b.dtm));
  expect(events[0]).toMatchObject({
    url: expect.stringMatching(/\/a\?b=c&d$/),
    refr: 'http://from.example/',
    ua: 'Agent "1" (ü)',
    ip: '192.0.2.1',
    dtm: String(Date.parse('2015-05-17T08:05:03Z')),
  });
  expect(events[1]).toMatchObject({ ip: '2001:db8::7', uid: 'ada' });
  expect(events[1]).not.toHaveProperty('refr');
}, 120_000);

it('goes on until Ctrl-C, and leaves no process behind', async () => {
  const demo = runDemo('--rate', '200');
  await vi.waitFor(() => expect(demo.stderr()).toMatch(/received [1-9]/), { timeout: 60_000, interval: 200 });
  const run = await runOf(demo);
  expect(run).toBeDefined();
  demo.child.kill('SIGINT');
  expect(await demo.ended, demo.stderr()).toBe(0);
  expect(demo.stdout()).toMatch(/^produced +\d+$/m);
  expect(processesWith(`SLUICE_KAFKA__GROUP_ID=${run}`)).toEqual([]);
}, 120_000);

it('leaves no process behind when it is killed', async () => {
  const demo = runDemo('--rate', '200');
  await vi.waitFor(() => expect(demo.stderr()).toMatch(/received [1-9]/), { timeout: 60_000, interval: 200 });
  const run = await runOf(demo);
  expect(processesWith(`SLUICE_KAFKA__GROUP_ID=${run}`).length).toBeGreaterThan(1);
  demo.child.kill('SIGKILL');
  const left = () => processesWith(`SLUICE_KAFKA__GROUP_ID=${run}`);
  await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 60_000, interval: 500 });
}, 180_000);

it('says what is wrong with its options', async () => {
  const wrong = [
    ['--messages', 'many'],
    ['--input', '/nowhere/access.log'],
    ['--mesages', '5'],
  ];
  for (const args of wrong) {
    const demo = runDemo(...args);
    expect(await demo.ended).toBe(2);
    expect(demo.stderr()).toContain(args[0] as string);
  }
});

/** The name of its run, which its keys in Redis carry. */
async function runOf({ child }: Demo): Promise<string | undefined> {
  const connection = connect('test', { url: redis.url }, 'command', silentLog);
  const keys = await connection.keys(`*demo-${child.pid}-*`);
  await disconnect(connection);
  return /demo-\d+-[a-z0-9]+/.exec(keys.join())?.[0];
}

/** By their environment, which the demo's children share. */
function processesWith(setting: string): string[] {
  const listing = execFileSync('ps', ['axeww', '-o', 'pid,command'], { maxBuffer: 64 * 1024 * 1024 }).toString();
  return listing.split('\n').filter((line) => line.includes(setting));
}
