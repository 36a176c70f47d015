/** `defineWorker`: checks a worker's options where they are written, so that a mistake names its line. */
import { SluiceError } from '../errors.ts';
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF, DEFAULT_QUEUE } from '../job/place.ts';
import { suggestion } from '../suggest.ts';
import type { WorkerDefinition, WorkerOptions } from './worker.ts';

/** Shared by every copy of the package in a process. */
const BRAND = Symbol.for('sluice.worker');
const DEFAULT_TIMEOUT_MS = 60_000;
const OPTIONS = ['queue', 'attempts', 'backoff', 'timeoutMs', 'run'];

/** T is the message's type; `Messages` in the package's index gives it by name. */
export function defineWorkerFor<T>(message: string, options: WorkerOptions<T>): WorkerDefinition<T> {
  check(message, options);
  const { queue = DEFAULT_QUEUE, attempts = DEFAULT_ATTEMPTS, backoff = {}, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const definition: WorkerDefinition<T> = {
    message,
    queue,
    attempts,
    backoff: { ...DEFAULT_BACKOFF, ...backoff },
    timeoutMs,
    run: (payload, ctx) => options.run(payload, ctx),
  };
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}

export function isWorkerDefinition(value: unknown): value is WorkerDefinition {
  return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
}

function check<T>(message: unknown, options: WorkerOptions<T>): void {
  if (typeof message !== 'string' || !/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(message)) {
    throw wrong(
      String(message),
      'message',
      message,
      "the full name of a message type, such as 'acme.email.v1.SendWelcome'",
    );
  }
  if (typeof options !== 'object' || options === null) throw wrong(message, 'options', options, 'an object with `run`');
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new SluiceError(
        'WORKER',
        `worker ${message}: unknown option "${name}"${suggestion(name, OPTIONS)}; allowed: ${OPTIONS.join(', ')}`,
      );
    }
  }
  const { queue, attempts, timeoutMs, backoff, run } = options;
  if (typeof run !== 'function') throw wrong(message, 'run', run, 'a function (message, ctx)');
  if (queue !== undefined && (typeof queue !== 'string' || !/^[^:{}\s]{1,200}$/.test(queue))) {
    throw wrong(message, 'queue', queue, "a name without ':', '{', '}' and blanks");
  }
  requireInteger(message, 'attempts', attempts, 1, 1_000_000);
  requireInteger(message, 'timeoutMs', timeoutMs, 1, 2_147_483_647);
  requireInteger(message, 'backoff.baseMs', backoff?.baseMs, 0, 2_147_483_647);
  requireInteger(message, 'backoff.maxMs', backoff?.maxMs, 0, 2_147_483_647);
}

function requireInteger(message: string, name: string, value: unknown, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && (value as number) >= least && (value as number) <= most))
    return;
  throw wrong(message, name, value, `a whole number from ${least} to ${most}`);
}

function wrong(message: string, name: string, value: unknown, allowed: string): SluiceError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new SluiceError(
    'WORKER',
    `worker ${message}: ${name}: the ${typeof value} ${shown} is not allowed; allowed: ${allowed}`,
  );
}
