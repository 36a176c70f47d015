/**
 * `sluice up`: every role in a process of its own, so that a worker that blocks or crashes takes nobody along. A
 * child that ends is started again, at once the first time, then with growing waits; a wrong configuration ends
 * everything, since trying again cannot help. Children whose supervisor is gone stop by themselves (run-role.ts).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { backoffDelay } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { type Service, within } from '../service.ts';
import { EXIT } from './exit.ts';

const BACKOFF = { baseMs: 500, maxMs: 30_000 };
/** A child that ran for this long was well; its next end counts as the first. */
const WELL_AFTER_MS = 30_000;

export interface ChildSpec {
  /** For logs: `bridge`, `work-2`. */
  readonly name: string;
  /** Arguments of the command, such as `['bridge', '--config', 'x.ts']`. */
  readonly args: readonly string[];
}

export interface SupervisorOptions {
  /** The command's own file. */
  readonly command: string;
  readonly children: readonly ChildSpec[];
  readonly log: Log;
  readonly clock: Clock;
  /** A child's configuration is wrong. */
  readonly onHopeless: (exitCode: number) => void;
}

export function createSupervisor({ command, children, log, clock, onHopeless }: SupervisorOptions): Service {
  const stopping = new AbortController();
  const running = new Map<string, ChildProcess>();
  const keepers: Promise<void>[] = [];

  /** Runs one child until it ends; answers its exit code, or null when a signal ended it. */
  function runOnce({ name, args }: ChildSpec): Promise<number | null> {
    return new Promise((resolve) => {
      const child = fork(command, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      running.set(name, child);
      log.info({ child: name, childPid: child.pid }, 'child started');
      child.once('error', (error) => log.error({ err: error, child: name }, 'child not started'));
      child.once('close', (code) => {
        running.delete(name);
        resolve(code);
      });
    });
  }

  async function keep(spec: ChildSpec): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const startedAt = clock.now();
      const code = await runOnce(spec);
      if (stopping.signal.aborted) return;
      if (code === EXIT.configuration) {
        log.error({ child: spec.name }, 'the configuration is wrong; stopping');
        onHopeless(code);
        return;
      }
      failures = clock.now() - startedAt > WELL_AFTER_MS ? 1 : failures + 1;
      const waitMs = failures === 1 ? 0 : backoffDelay(BACKOFF, failures - 1) + BACKOFF.baseMs / 2;
      log.warn({ child: spec.name, exitCode: code, waitMs: Math.round(waitMs) }, 'child ended; starting it again');
      await clock.sleep(waitMs, stopping.signal);
    }
  }

  return {
    async start() {
      keepers.push(...children.map(keep));
    },

    async stop(deadlineMs) {
      stopping.abort();
      for (const child of running.values()) child.kill('SIGTERM');
      await within(deadlineMs, Promise.all(keepers));
      for (const [name, child] of running) {
        log.warn({ child: name }, 'child did not stop in time');
        child.kill('SIGKILL');
      }
      await Promise.all(keepers);
    },
  };
}
