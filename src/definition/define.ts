/** `defineWorker`: checks a worker's options where they are written, so that a mistake names its line. */
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF, DEFAULT_QUEUE } from '../job/place.ts';
import {
  requireInteger,
  requireMessageName,
  requireOptions,
  requireRun,
  requireText,
  requireTimes,
} from './option-checks.ts';
import type { WorkerDefinition, WorkerOptions } from './worker.ts';

/** Shared by every copy of the package in a process. */
const BRAND = Symbol.for('sluice.worker');
export const DEFAULT_TIMEOUT_MS = 60_000;
const OPTIONS = ['queue', 'attempts', 'backoff', 'timeoutMs', 'run'];

/** T is the message's type; `Messages` in the package's index gives it by name. */
export function defineWorkerFor<T>(message: string, options: WorkerOptions<T>): WorkerDefinition<T> {
  check(message, options);
  const { queue = DEFAULT_QUEUE, attempts = DEFAULT_ATTEMPTS, backoff = {}, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return branded({
    message,
    queue,
    attempts,
    backoff: { ...DEFAULT_BACKOFF, ...backoff },
    timeoutMs,
    run: (payload, ctx) => options.run(payload, ctx),
  });
}

/** Marks and freezes what a file in `workers/` exports. */
export function branded<Definition extends object>(definition: Definition): Definition {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}

/** Whether `defineWorker` made it, in whichever form. */
export function isDefined(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
}

function check<T>(message: string, options: WorkerOptions<T>): void {
  requireMessageName(message);
  requireOptions(message, options, OPTIONS);
  const { queue, attempts, run } = options;
  requireRun(message, run, 'message');
  if (queue !== undefined)
    requireText(message, 'queue', queue, /^[^:{}\s]{1,200}$/, "a name without ':', '{', '}' and blanks");
  requireInteger(message, 'attempts', attempts, 1, 1_000_000);
  requireTimes(message, options);
}
