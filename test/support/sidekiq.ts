/**
 * A real Sidekiq: processes that work on queues and note what they ran, and Ruby over Sidekiq's own API. Processes end
 * with the test file.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { ROOT } from './sluice.ts';

const RUBY = join(ROOT, 'test', 'support', 'sidekiq');
const READY_WITHIN_MS = 20_000;

export interface SidekiqOptions {
  /** In the order in which they are emptied. */
  readonly queues?: readonly string[];
  readonly concurrency?: number;
  /**
   * How long a stop waits for the jobs that run. Below the two seconds that a fetch blocks, Sidekiq 6.4 loses what it
   * gives back: threads that still fetch take it again and are ended.
   */
  readonly timeoutSeconds?: number;
  /** Ruby that is loaded behind test/support/sidekiq/jobs.rb: more job classes, settings. */
  readonly code?: string;
  /** Folder of another process, to write into the same list of runs. */
  readonly dir?: string;
}

/** An argument as Ruby saw it. */
export interface RubyValue {
  readonly class: string;
  readonly inspect: string;
  readonly value: unknown;
}

/** A step of a run. `failed` also when it was interrupted by the process's end. */
export interface Run {
  readonly phase: 'began' | 'ended' | 'failed';
  readonly pid: number;
  /** Seconds since the epoch. */
  readonly at: number;
  readonly class: string;
  readonly jid: string;
  readonly queue: string;
  readonly args: readonly RubyValue[];
  /** All fields of the job, as JavaScript reads what Ruby writes. */
  readonly job: Readonly<Record<string, unknown>>;
  readonly error: string | null;
}

export interface Sidekiq {
  readonly pid: number;
  /** Holds what the jobs note; a file made in it lets a `WaitFor` of its name end. */
  readonly dir: string;
  runs(phase?: Run['phase']): Run[];
  log(): string;
  /** Lets a `WaitFor` of this name end. */
  let(name: string): void;
  /** Takes nothing new. */
  quiet(): void;
  /** Hangs it without closing a connection. */
  pause(): void;
  resume(): void;
  /** Asks it to end; resolves with its exit code. */
  stop(): Promise<number | NodeJS.Signals>;
  /** kill -9. */
  kill(): Promise<number | NodeJS.Signals>;
}

const running = new Set<ChildProcess>();
const dirs = new Set<string>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
});

/** Resolves once it fetches jobs. */
export async function startSidekiq(redis: { readonly url: string }, options: SidekiqOptions = {}): Promise<Sidekiq> {
  const dir = options.dir ?? newDir();
  const runs = join(dir, 'runs');
  const code = join(dir, 'code.rb');
  if (options.code !== undefined) writeFileSync(code, options.code);
  const { child, ended, output } = start('sidekiq', argsOf(options), {
    REDIS_URL: redis.url,
    RUNS: runs,
    ...(options.code !== undefined && { CODE: code }),
  });
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal);
    return ended;
  };
  const sidekiq: Sidekiq = {
    pid: child.pid as number,
    dir,
    runs: (phase) => runsIn(runs).filter((run) => phase === undefined || run.phase === phase),
    log: output,
    let: (name) => writeFileSync(join(dir, name), ''),
    quiet: () => void child.kill('SIGTSTP'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
  await isReady(redis, child, output);
  return sidekiq;
}

/** The value of the last line of `code`, which sees Sidekiq's API (`Sidekiq::Queue`, `RetrySet`, ...), by way of JSON. */
export async function runRuby<T>(redis: { readonly url: string }, code: string): Promise<T> {
  const env = { ...process.env, REDIS_URL: redis.url };
  return new Promise((resolve, reject) => {
    const options = { env, maxBuffer: 256 * 1024 * 1024 };
    const child = execFile('ruby', [join(RUBY, 'evaluate.rb')], options, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as T);
    });
    child.stdin?.end(code);
  });
}

/** Sidekiq's Web, as it comes. */
export async function startSidekiqWeb(redis: {
  readonly url: string;
}): Promise<{ url: string; stop(): Promise<unknown> }> {
  const { child, ended, output } = start('ruby', [join(RUBY, 'web.rb')], { REDIS_URL: redis.url });
  const stop = () => {
    child.kill('SIGKILL');
    return ended;
  };
  const port = await vi.waitFor(
    () => {
      const [said] = /^\d+$/m.exec(output()) ?? [];
      if (said === undefined) throw new Error(`Sidekiq's Web has not started:\n${output()}`);
      return said;
    },
    { timeout: READY_WITHIN_MS, interval: 50 },
  );
  return { url: `http://127.0.0.1:${port}`, stop };
}

function argsOf({ queues = ['default'], concurrency = 5, timeoutSeconds = 3 }: SidekiqOptions): string[] {
  const settings = ['-r', join(RUBY, 'jobs.rb'), '-c', String(concurrency), '-t', String(timeoutSeconds), '-e', 'test'];
  return [...settings, ...queues.flatMap((queue) => ['-q', queue])];
}

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-sidekiq-'));
  dirs.add(dir);
  return dir;
}

function start(command: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(command, args, { cwd: RUBY, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const out: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => out.push(data));
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  return { child, ended, output: () => Buffer.concat(out).toString() };
}

/** Its first heartbeat says so: the threads that fetch are started right before. */
async function isReady(redis: { readonly url: string }, child: ChildProcess, output: () => string): Promise<void> {
  const connection = connect('test', redis, 'command', silentLog);
  try {
    await vi.waitFor(
      async () => {
        const names = await connection.smembers('processes');
        if (!names.some((name) => name.includes(`:${child.pid}:`)))
          throw new Error(`Sidekiq has not started:\n${output()}`);
      },
      { timeout: READY_WITHIN_MS, interval: 50 },
    );
  } finally {
    await disconnect(connection);
  }
}

function runsIn(file: string): Run[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  // The last has no end of line yet, or is empty.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Run);
}
