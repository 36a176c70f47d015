/** `defineWorker`: checks a worker's options where they are written, so that a mistake names its line. */
import { DEFAULT_ATTEMPTS, DEFAULT_BACKOFF, DEFAULT_QUEUE } from '../job/place.ts';
import { type BatchWorkerOptions, batchContext, DEFAULT_BATCH, outcomeAt } from './batch.ts';
import {
  requireInteger,
  requireMessageName,
  requireOptions,
  requireRun,
  requireText,
  requireTimes,
  wrong,
} from './option-checks.ts';
import type { WorkerDefinition, WorkerOptions } from './worker.ts';

/** Shared by every copy of the package in a process. */
const BRAND = Symbol.for('sluice.worker');
export const DEFAULT_TIMEOUT_MS = 60_000;
const OPTIONS = ['queue', 'attempts', 'backoff', 'timeoutMs', 'run', 'runBatch', 'batch'];
const BATCH_OPTIONS = ['most', 'waitMs'];
const MOST_IN_A_BATCH = 10_000;
const LONGEST_GATHERING_MS = 60_000;

type Options<T> = WorkerOptions<T> | BatchWorkerOptions<T>;

/** T is the message's type; `Messages` in the package's index gives it by name. */
export function defineWorkerFor<T>(message: string, options: Options<T>): WorkerDefinition<T> {
  check(message, options);
  const { queue = DEFAULT_QUEUE, attempts = DEFAULT_ATTEMPTS, backoff = {}, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const settings = { message, queue, attempts, backoff: { ...DEFAULT_BACKOFF, ...backoff }, timeoutMs };
  return branded({ ...settings, ...('runBatch' in options ? inBatches(options) : oneByOne(options)) });
}

type Runs<T> = Pick<WorkerDefinition<T>, 'run' | 'batch'>;

function oneByOne<T>(options: WorkerOptions<T>): Runs<T> {
  return { batch: undefined, run: (payload, ctx) => options.run(payload, ctx) };
}

function inBatches<T>(options: BatchWorkerOptions<T>): Runs<T> {
  return {
    batch: {
      ...DEFAULT_BATCH,
      ...options.batch,
      run: (payloads, ctx) => options.runBatch(payloads, ctx),
    },
    run: async (payload, ctx) => outcomeAt(await options.runBatch([payload], batchContext([ctx])), 0, 1),
  };
}

/** Marks and freezes what a file in `workers/` exports. */
export function branded<Definition extends object>(definition: Definition): Definition {
  return Object.freeze(Object.defineProperty(definition, BRAND, { value: true }));
}

/** Whether `defineWorker` made it, in whichever form. */
export function isDefined(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Reflect.get(value, BRAND) === true;
}

function check<T>(message: string, options: Options<T>): void {
  requireMessageName(message);
  requireOptions(message, options, OPTIONS);
  if ('runBatch' in options) checkBatch(message, options);
  else checkSingle(message, options);
  const { queue, attempts } = options;
  if (queue !== undefined)
    requireText(message, 'queue', queue, /^[^:{}\s]{1,200}$/, "a name without ':', '{', '}' and blanks");
  requireInteger(message, 'attempts', attempts, 1, 1_000_000);
  requireTimes(message, options);
}

function checkSingle<T>(message: string, options: WorkerOptions<T>): void {
  requireRun(message, options.run, 'message');
  const batch: unknown = Reflect.get(options, 'batch');
  if (batch !== undefined) throw wrong(message, 'batch', batch, 'nothing where the worker has no runBatch');
}

function checkBatch<T>(message: string, options: BatchWorkerOptions<T>): void {
  requireRun(message, options.runBatch, 'messages', 'runBatch');
  const run: unknown = Reflect.get(options, 'run');
  if (run !== undefined) throw wrong(message, 'run', run, 'nothing where the worker has runBatch');
  if (options.batch === undefined) return;
  requireOptions(`${message}: batch`, options.batch, BATCH_OPTIONS);
  requireInteger(message, 'batch.most', options.batch.most, 1, MOST_IN_A_BATCH);
  requireInteger(message, 'batch.waitMs', options.batch.waitMs, 0, LONGEST_GATHERING_MS);
}
