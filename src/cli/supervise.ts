/**
 * `sluice up`: every role in a process of its own, so that a worker that blocks or crashes takes nobody along. A
 * child that ends is started again (respawn.ts); a wrong configuration ends everything, since trying again cannot
 * help. Children whose supervisor is gone stop by themselves (run-role.ts). Only own children are ever killed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Service, within } from '../service.ts';
import { EXIT } from './exit.ts';
import { failuresInARow, respawnDelay } from './respawn.ts';

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

export interface Supervisor extends Service {
  /** SIGKILL to every child, now. */
  killAll(): void;
}

/** What a child tells its supervisor once it has started. */
export const READY = 'sluice-ready';

/** How one run of a child ended. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** How long it had been ready; undefined when it never was. */
  readonly workedMs: number | undefined;
}

export function createSupervisor({ command, children, log, clock, onHopeless }: SupervisorOptions): Supervisor {
  const stopping = new AbortController();
  const running = new Map<string, ChildProcess>();
  const keepers: Promise<void>[] = [];

  /** Runs one child until it ends. */
  function runOnce({ name, args }: ChildSpec): Promise<End> {
    const child = fork(command, [...args], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    running.set(name, child);
    log.info({ child: name, childPid: child.pid }, 'child started');
    return new Promise((resolve) => {
      let readyAt: number | undefined;
      const end = (code: number | null, signal: NodeJS.Signals | null) => {
        running.delete(name);
        resolve({ code, signal, workedMs: readyAt === undefined ? undefined : clock.now() - readyAt });
      };
      child.on('message', (message) => {
        if (message === READY) readyAt = clock.now();
      });
      child.once('error', (error) => {
        log.error({ child: name, reason: messageOf(error) }, 'child cannot be started or reached');
        if (child.pid === undefined) end(null, null);
      });
      child.once('exit', end);
    });
  }

  async function keep(spec: ChildSpec): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const { code, signal, workedMs } = await runOnce(spec);
      if (stopping.signal.aborted) return log.info({ child: spec.name, exitCode: code, signal }, 'child stopped');
      if (code === EXIT.configuration) {
        log.error({ child: spec.name }, 'a child cannot work with this configuration; stopping all');
        return onHopeless(code);
      }
      failures = failuresInARow(failures, workedMs);
      const waitMs = respawnDelay(failures);
      log.warn({ child: spec.name, exitCode: code, signal, failures, waitMs }, 'child ended; starting it again');
      await clock.sleep(waitMs, stopping.signal);
    }
  }

  function killAll(): void {
    for (const [name, child] of running) {
      log.warn({ child: name, childPid: child.pid }, 'child killed');
      child.kill('SIGKILL');
    }
  }

  return {
    async start() {
      if (keepers.length === 0) keepers.push(...children.map(keep));
    },

    async stop(deadlineMs) {
      stopping.abort();
      for (const child of running.values()) child.kill('SIGTERM');
      await within(deadlineMs, Promise.all(keepers));
      killAll();
      await Promise.all(keepers);
    },

    killAll,
  };
}
