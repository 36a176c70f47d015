/** A Sidekiq process with the demo's jobs, and what it says that it ran. It ends with the demo, however that ends. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from '../../src/service.ts';

const JOBS = fileURLToPath(new URL('jobs.rb', import.meta.url));
const QUEUES = ['orders', 'views'];
const CONCURRENCY = 10;
/** A stop waits so long for running jobs. */
const DRAIN_SECONDS = 5;

export interface Ran {
  readonly class: string;
  readonly jid: string;
  /** The arguments, as Ruby shows values. */
  readonly seen: string;
}

export interface Ruby {
  /** Jobs that have run, each once, by jid. */
  readonly ran: ReadonlyMap<string, Ran>;
  /** Runs of jobs that had run before. */
  readonly repeated: number;
  /** Undefined while it runs. */
  readonly ended: string | undefined;
  stop(deadlineMs: number): Promise<void>;
  /** At once. */
  kill(): void;
}

export function startRuby(redisUrl: string): Ruby {
  const queues = QUEUES.flatMap((queue) => ['-q', queue]);
  const args = ['-r', JOBS, '-c', String(CONCURRENCY), '-t', String(DRAIN_SECONDS), '-e', 'production', ...queues];
  const child = spawn('sidekiq', args, {
    env: { ...process.env, REDIS_URL: redisUrl },
    stdio: ['pipe', 'pipe', process.stderr],
    detached: true,
  });
  const ran = new Map<string, Ran>();
  let repeated = 0;
  let ended: string | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    const run = toRan(line);
    if (run === undefined) return;
    if (ran.has(run.jid)) repeated += 1;
    ran.set(run.jid, run);
  });
  const closed = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ended = error.message;
      resolve();
    });
    child.once('close', (code, signal) => {
      ended ??= signal === null ? `exit code ${code}` : signal;
      resolve();
    });
  });

  return {
    ran,
    get repeated() {
      return repeated;
    },
    get ended() {
      return ended;
    },
    async stop(deadlineMs) {
      child.kill('SIGTERM');
      await within(deadlineMs, closed);
      child.kill('SIGKILL');
      await closed;
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

/** Undefined for a line that Sidekiq itself prints. */
function toRan(line: string): Ran | undefined {
  return line.startsWith('{"class":') ? (JSON.parse(line) as Ran) : undefined;
}
