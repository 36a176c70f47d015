/** The public API: all that a worker imports. */
import type { BatchWorkerOptions } from './definition/batch.ts';
import { defineWorkerFor } from './definition/define.ts';
import {
  defineSidekiqWorker,
  type SidekiqWorkerDefinition,
  type SidekiqWorkerOptions,
} from './definition/sidekiq-worker.ts';
import type { WorkerDefinition, WorkerOptions } from './definition/worker.ts';

export { type ConfigInput, defineConfig } from './cli/config/define.ts';
export type {
  BatchCollector,
  BatchContext,
  BatchResult,
  BatchSize,
  BatchWorkerOptions,
} from './definition/batch.ts';
export { dead, done, retry, snooze } from './definition/outcomes.ts';
export type { ArgumentForm, SidekiqWorkerDefinition, SidekiqWorkerOptions } from './definition/sidekiq-worker.ts';
export type {
  CollectorPort,
  Outcome,
  TrackerFields,
  WorkerContext,
  WorkerDefinition,
  WorkerOptions,
} from './definition/worker.ts';
export { isSluiceError, SluiceError } from './errors.ts';

/**
 * The messages by their full names. `sluice types` fills it in by declaration merging; until then every message
 * is a record of unknown fields.
 */
// biome-ignore lint/suspicious/noEmptyInterface: filled in by generated declarations
export interface Messages {}

/** The TypeScript form of a message type; anything goes until `sluice types` has been run. */
// biome-ignore lint/suspicious/noExplicitAny: a fresh clone compiles before its types exist
export type MessageOf<Name extends string> = Name extends keyof Messages ? Messages[Name] : Record<string, any>;

/**
 * Defines the worker of a Sidekiq class whose jobs' arguments are a message.
 * Throws SluiceError WORKER for options that cannot work.
 */
export function defineWorker<Name extends (keyof Messages & string) | (string & {})>(
  message: Name,
  options: SidekiqWorkerOptions<MessageOf<Name>>,
): SidekiqWorkerDefinition<MessageOf<Name>>;
/**
 * Defines the worker of a Sidekiq class, which gets its jobs' arguments as they are: integers beyond 2^53 as bigint, every
 * other number as a number. Throws SluiceError WORKER for options that cannot work.
 */
export function defineWorker<Args extends readonly unknown[] = readonly unknown[]>(
  options: SidekiqWorkerOptions<Args>,
): SidekiqWorkerDefinition<Args>;
/**
 * Defines the worker of a message type. Export it from a file in `workers/`.
 * Throws SluiceError WORKER for options that cannot work.
 */
export function defineWorker<Name extends (keyof Messages & string) | (string & {})>(
  message: Name,
  options: WorkerOptions<MessageOf<Name>>,
): WorkerDefinition<MessageOf<Name>>;
/**
 * Defines the worker of a message type that takes many messages at once. Export it from a file in `workers/`.
 * Throws SluiceError WORKER for options that cannot work.
 */
export function defineWorker<Name extends (keyof Messages & string) | (string & {})>(
  message: Name,
  options: BatchWorkerOptions<MessageOf<Name>>,
): WorkerDefinition<MessageOf<Name>>;
export function defineWorker<T>(
  ...[first, second]:
    | [string, WorkerOptions<T> | BatchWorkerOptions<T> | SidekiqWorkerOptions<T>]
    | [SidekiqWorkerOptions<T>]
): WorkerDefinition<T> | SidekiqWorkerDefinition<T> {
  if (typeof first === 'object' && first !== null) return defineSidekiqWorker(undefined, first);
  return isForSidekiq(second) ? defineSidekiqWorker(first, second) : defineWorkerFor(first, second as WorkerOptions<T>);
}

function isForSidekiq<T>(options: unknown): options is SidekiqWorkerOptions<T> {
  return typeof options === 'object' && options !== null && 'sidekiq' in options;
}
