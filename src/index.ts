/** The public API: all that a worker imports. */
import { defineWorkerFor } from './definition/define.ts';
import type { WorkerDefinition, WorkerOptions } from './definition/worker.ts';

export { type ConfigInput, defineConfig } from './cli/config/define.ts';
export { dead, done, retry, snooze } from './definition/outcomes.ts';
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
 * Defines the worker of a message type. Export it from a file in `workers/`.
 * Throws SluiceError WORKER for options that cannot work.
 */
export function defineWorker<Name extends (keyof Messages & string) | (string & {})>(
  message: Name,
  options: WorkerOptions<MessageOf<Name>>,
): WorkerDefinition<MessageOf<Name>> {
  return defineWorkerFor(message, options);
}
