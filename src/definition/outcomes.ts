/** The four ways in which an attempt can end, as a worker says them. Nothing returned is `done`, a throw is `retry`. */
import { isSluiceError, messageOf } from '../errors.ts';
import type { Outcome } from './worker.ts';

export function done(): Outcome {
  return { kind: 'done' };
}

/** Try again, after the worker's backoff or after `afterMs`; counts as an attempt. */
export function retry(reason: string, options: { afterMs?: number; cause?: unknown } = {}): Outcome {
  return { kind: 'retry', reason, ...options };
}

/** Never again: to the dead letters. */
export function dead(reason: string, options: { cause?: unknown } = {}): Outcome {
  return { kind: 'dead', reason, ...options };
}

/** Not now: run again after `afterMs`, without counting an attempt. */
export function snooze(afterMs: number): Outcome {
  return { kind: 'snooze', afterMs };
}

/** Whether what a worker returned is an outcome; it may return anything. */
export function isOutcome(value: unknown): value is Outcome {
  const kind: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'kind') : undefined;
  return kind === 'done' || kind === 'retry' || kind === 'dead' || kind === 'snooze';
}

/** What a throw comes to. What the collector refuses for good, it refuses at every attempt. */
export function failureOf(error: unknown): Outcome {
  const kind = isSluiceError(error, 'COLLECTOR_REFUSED') ? 'dead' : 'retry';
  return { kind, reason: messageOf(error), cause: error };
}
