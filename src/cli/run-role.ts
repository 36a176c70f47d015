/**
 * Runs a service until a signal, the loss of the supervisor, or a fatal error. The first signal stops gracefully, up
 * to a deadline; the second at once. Terminals and service managers signal a supervisor and its children alike, and
 * one request must not count as two: a supervised child takes SIGTERM once, and leaves the rest to its supervisor. Nor must what
 * npm passes on to us once more, when all of a group were signalled.
 */
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Service, within } from '../service.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { READY } from './supervise.ts';

/** Beyond the service's own deadline: what is left then is left behind. */
const SPARE_MS = 5_000;
/** Nobody asks again so soon. */
const ECHO_MS = 300;
const EXIT_BY_SIGNAL = { SIGINT: EXIT.interrupted, SIGTERM: 143 } as const;

export interface Run {
  /** Ends the run with this exit code. */
  end(exitCode: number): void;
}

export interface RunOptions {
  readonly log: Log;
  /** For the service to stop, from the request on. */
  readonly deadlineMs: number;
  /** The last words before the process exits without waiting. */
  readonly onSecondSignal?: () => void;
}

/** Resolves with the exit code once the service has stopped. `make` gets what ends the run. */
export async function runUntilStopped(options: RunOptions, make: (run: Run) => Promise<Service>): Promise<number> {
  const ending = Promise.withResolvers<number>();
  listen(options, ending.resolve);
  const service = await make({ end: ending.resolve });
  void started(service, options.log).then((failure) => {
    if (failure !== undefined) ending.resolve(failure);
  });
  const exitCode = await ending.promise;
  await within(options.deadlineMs + SPARE_MS, stopped(service, options));
  return exitCode;
}

/** The exit code of a start that failed, or undefined. */
async function started(service: Service, log: Log): Promise<number | undefined> {
  try {
    await service.start();
    // The supervisor may be gone by now; the loss of the channel is told by its own event.
    process.send?.(READY, undefined, undefined, () => undefined);
    return undefined;
  } catch (error) {
    const exitCode = exitCodeOf(error);
    log.error(exitCode === EXIT.failed ? { err: error } : { reason: messageOf(error) }, 'cannot start');
    return exitCode;
  }
}

async function stopped(service: Service, { log, deadlineMs }: RunOptions): Promise<void> {
  await service.stop(deadlineMs).catch((error: unknown) => log.error({ err: error }, 'stopped badly'));
}

function listen({ log, onSecondSignal }: RunOptions, end: (exitCode: number) => void): void {
  // A rejection that nobody handles comes here too. What state it left is unknown: the next process has a clean one.
  process.on('uncaughtException', (error) => {
    log.error({ err: error }, 'crashed');
    process.exit(EXIT.failed);
  });
  const isSupervised = process.send !== undefined;
  let askedAt: number | undefined;
  const stop = (why: string) => {
    askedAt = performance.now();
    log.info({ why }, 'stopping');
    end(EXIT.ok);
  };
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    if (askedAt === undefined) return stop(signal);
    if (isSupervised || performance.now() - askedAt < ECHO_MS) return;
    onSecondSignal?.();
    process.exit(EXIT_BY_SIGNAL[signal]);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', isSupervised ? () => undefined : onSignal);
  const onOrphaned = () => {
    if (askedAt === undefined) stop('the supervisor is gone');
  };
  process.on('disconnect', onOrphaned);
  if (isSupervised && !process.connected) onOrphaned();
}
