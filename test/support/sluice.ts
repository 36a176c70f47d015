/** The command as a user runs it: a process of its own, through bin/sluice.js. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const COMMAND = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
}

const running = new Set<ChildProcess>();
// A test that failed half-way leaves its processes; the runner's own process may end without an exit event.
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

export function runSluice(args: readonly string[], options: RunOptions = {}): Running {
  return run([COMMAND, ...args], options);
}

/** A file that Node runs, with the sources of `sluice`. */
export function runScript(file: string, options: RunOptions = {}): Running {
  return run(['--conditions=sluice-source', file], options);
}

function run(args: readonly string[], { env = {}, cwd = ROOT, input }: RunOptions): Running {
  const child = spawn(process.execPath, args, {
    cwd,
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (data: Buffer) => out.push(data));
  child.stderr?.on('data', (data: Buffer) => err.push(data));
  if (input !== undefined) child.stdin?.end(input);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? 'SIGKILL');
    });
  });
  return {
    child,
    pid: child.pid as number,
    stdout: () => Buffer.concat(out).toString(),
    stderr: () => Buffer.concat(err).toString(),
    ended,
    kill: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}
