/**
 * Runs services until a signal, the loss of the supervisor, or a fatal error. The first signal stops gracefully,
 * the second at once.
 */
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Service, within } from '../service.ts';
import { EXIT, exitCodeOf } from './exit.ts';

/** Beyond the services' own deadline: what is left then is left behind. */
const SPARE_MS = 5_000;

export interface Run {
  /** Ends the run with this exit code. */
  end(exitCode: number): void;
}

/** Resolves with the exit code once everything has stopped. `make` gets what ends the run. */
export async function runUntilStopped(
  log: Log,
  deadlineMs: number,
  make: (run: Run) => Promise<Service>,
): Promise<number> {
  const ending = Promise.withResolvers<number>();
  const end = (exitCode: number) => ending.resolve(exitCode);
  listen(log, end);
  let service: Service | undefined;
  try {
    service = await make({ end });
    const started = service.start();
    const failed = started.then(
      () => ending.promise,
      (error: unknown) => {
        log.error({ err: error }, messageOf(error));
        return exitCodeOf(error);
      },
    );
    return await Promise.race([ending.promise, failed]);
  } finally {
    await within(deadlineMs + SPARE_MS, service?.stop(deadlineMs) ?? Promise.resolve());
  }
}

function listen(log: Log, end: (exitCode: number) => void): void {
  let isStopping = false;
  const stop = (why: string, atOnce: number) => {
    if (isStopping) process.exit(atOnce);
    isStopping = true;
    log.info({ why }, 'stopping');
    end(EXIT.ok);
  };
  process.on('SIGINT', () => stop('SIGINT', EXIT.interrupted));
  process.on('SIGTERM', () => stop('SIGTERM', 143));
  process.on('disconnect', () => {
    if (!isStopping) stop('the supervisor is gone', EXIT.failed);
  });
}
