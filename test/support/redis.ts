/** A private Redis for one test file: its own process on a free port, ended with the file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../stack/native.ts';
import { redisAnswers, waitFor } from '../../stack/ready.ts';

export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Hangs it without closing a connection. */
  pause(): void;
  resume(): void;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same port, empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRedisOptions {
  /** Such as `128mb`. */
  readonly maxmemory?: string;
  readonly policy?: string;
  readonly extra?: readonly string[];
}

export async function startRedis({
  maxmemory,
  policy = 'noeviction',
  extra = [],
}: TestRedisOptions = {}): Promise<TestRedis> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const memory = maxmemory === undefined ? [] : ['--maxmemory', maxmemory];
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    dir,
    '--maxmemory-policy',
    policy,
    ...memory,
    ...extra,
  ];
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn('redis-server', args, { stdio: 'ignore' });
    await waitFor('test Redis', 10_000, () => redisAnswers(url));
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await closed;
  }

  await start();
  process.once('exit', () => child.kill('SIGKILL'));
  return {
    url,
    port,
    get pid() {
      return child.pid as number;
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    restart: start,
    async stop() {
      await end('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
