/**
 * A redis-server of one's own, on a free loopback port and in a folder of its own, to do to it what happens to
 * servers. The caller ends it; `killNow` is for a caller that is ending itself.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

const ANSWER_WITHIN_MS = 20_000;
const LOOK_AGAIN_MS = 50;

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Holds `dump.rdb` once the server has saved. */
  readonly dir: string;
  /** Hangs it without closing a connection. */
  pause(): void;
  resume(): void;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same port: empty, unless there is a `dump.rdb`. */
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Without waiting. */
  killNow(): void;
}

export interface RedisServerOptions {
  /** Such as `128mb`. */
  readonly maxmemory?: string;
  readonly policy?: string;
  readonly extra?: readonly string[];
}

export async function startRedisServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'sluice-redis-'));
  const args = argsOf(port, dir, options);
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn('redis-server', args, { stdio: 'ignore' });
    const failed = new Promise<never>((_, reject) => child.once('error', reject));
    await Promise.race([failed, answers(port)]);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGCONT');
    child.kill(signal);
    await closed;
  }

  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    dir,
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
    killNow: () => void child.kill('SIGKILL'),
  };
}

function argsOf(port: number, dir: string, { maxmemory, policy = 'noeviction', extra = [] }: RedisServerOptions) {
  const settings: Record<string, string> = {
    port: String(port),
    bind: '127.0.0.1',
    save: '',
    dir,
    'maxmemory-policy': policy,
    ...(maxmemory !== undefined && { maxmemory }),
  };
  return [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]), ...extra];
}

async function answers(port: number): Promise<void> {
  const deadline = Date.now() + ANSWER_WITHIN_MS;
  while (!(await pings(port))) {
    if (Date.now() > deadline) throw new Error(`redis-server on port ${port} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

/** A Redis that loads its data answers too, and not with PONG. */
function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('data', (data) => end(data.toString().startsWith('+PONG')));
  });
}
