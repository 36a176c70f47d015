/**
 * `sluice up`, or one of its roles, as a user starts it, told by its environment alone. It has a process group of its own, so that Ctrl-C
 * reaches the demo first: production ends before what takes it away. It does not outlive the demo, however that ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { within } from '../src/service.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const COMMAND = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));

export interface SluiceUp {
  /** Undefined while it runs. */
  readonly ended: string | undefined;
  /** Asks it to end, and ends it and its children after `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
  /** At once. */
  kill(): void;
}

export function startSluice(env: Readonly<Record<string, string>>, command = 'up'): SluiceUp {
  // Stdout is for the demo's result alone. By the channel it notices when the demo is killed, and stops.
  const child = spawn(process.execPath, [COMMAND, command], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', process.stderr, process.stderr, 'ipc'],
    detached: true,
  });
  let ended: string | undefined;
  const closed = new Promise<void>((resolve) => {
    child.once('close', (code, signal) => {
      ended = signal === null ? `exit code ${code}` : signal;
      resolve();
    });
  });

  process.once('exit', () => {
    if (ended === undefined) killGroup(child);
  });

  return {
    get ended() {
      return ended;
    },
    async stop(deadlineMs) {
      if (ended !== undefined) return;
      child.kill('SIGTERM');
      await within(deadlineMs, closed);
      killGroup(child);
      await closed;
    },
    kill: () => killGroup(child),
  };
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // None of the group is left.
  }
}
