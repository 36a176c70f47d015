/** The demo with a real Sidekiq as a stranger runs it, all its processes included. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';
import { kafkaBrokers } from '../support/stack.ts';

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

interface Demo {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  stdout(): string;
  stderr(): string;
}

function runDemo(...args: string[]): Demo {
  const env = { ...process.env, KAFKA_BROKERS: kafkaBrokers().join(), REDIS_URL: redis.url };
  const file = join(ROOT, 'demo', 'sidekiq', 'main.ts');
  const child = spawn(process.execPath, ['--conditions=sluice-source', file, ...args], { cwd: ROOT, env });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  return {
    child,
    ended,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
  };
}

/** By their environment, which the bridge and Sidekiq share; another Redis has another port. */
function processesLeft(): string[] {
  const listing = execFileSync('ps', ['axeww', '-o', 'pid,command'], { maxBuffer: 64 * 1024 * 1024 }).toString();
  return listing.split('\n').filter((line) => line.includes(`REDIS_URL=${redis.url}/`));
}

it('brings every record to Ruby, and what Ruby cannot do into the dead letters', async () => {
  const demo = runDemo('--messages', '1000', '--json');
  expect(await demo.ended, demo.stderr()).toBe(0);
  expect(JSON.parse(demo.stdout())).toEqual({
    produced: 1000,
    ran: 997,
    repeated: 0,
    deadLettered: 3,
    uncommitted: 0,
    seconds: expect.any(Number),
  });
  expect(processesLeft()).toEqual([]);
}, 120_000);

it.each(['SIGINT', 'SIGKILL'] as const)(
  'leaves no process behind after %s',
  async (signal) => {
    const demo = runDemo('--messages', '500000');
    await vi.waitFor(() => expect(demo.stderr()).toMatch(/Ruby ran [1-9]/), { timeout: 60_000, interval: 100 });
    expect(processesLeft().length).toBeGreaterThan(1);
    demo.child.kill(signal);
    await demo.ended;
    await vi.waitFor(() => expect(processesLeft()).toEqual([]), { timeout: 30_000, interval: 250 });
  },
  120_000,
);

it('says what is wrong with its options', async () => {
  const demo = runDemo('--messages', 'many');
  expect(await demo.ended).toBe(2);
  expect(demo.stderr()).toContain('--messages: "many" is not allowed');
});
