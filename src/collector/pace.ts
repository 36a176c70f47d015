/**
 * How many requests may be under way. A collector that fails is asked by one at a time, after a rest that grows and
 * that all batches share; its first answer lets all go again. Pure but for its state; times are milliseconds since
 * the epoch.
 */
import { type Backoff, backoffDelay } from '../backoff.ts';

export interface Pace {
  /** Whether nothing has failed since the last success. */
  readonly isUp: boolean;
  /** Asked for when a request starts, given back with how it ended. */
  readonly epoch: number;
  /** Until then, nothing is sent. */
  readonly restsUntil: number;
  /** Requests that may be under way at `now`. */
  allowed(now: number): number;
  succeeded(epoch: number): void;
  /** `afterMs`: what the collector asked for. */
  failed(epoch: number, now: number, afterMs: number | undefined): void;
}

export function createPace(connections: number, backoff: Backoff, random: () => number): Pace {
  let failures = 0;
  let epoch = 0;
  let restsUntil = 0;
  return {
    get isUp() {
      return failures === 0;
    },
    get epoch() {
      return epoch;
    },
    get restsUntil() {
      return restsUntil;
    },

    allowed(now) {
      if (now < restsUntil) return 0;
      return failures === 0 ? connections : 1;
    },

    // A request that began before the last failure says nothing about what came after it.
    succeeded(startedIn) {
      if (startedIn !== epoch) return;
      failures = 0;
      restsUntil = 0;
    },

    // Requests that failed together are one failure.
    failed(startedIn, now, afterMs) {
      if (startedIn === epoch) {
        epoch += 1;
        failures += 1;
        restsUntil = Math.max(restsUntil, now + backoffDelay(backoff, failures, random));
      }
      if (afterMs !== undefined) restsUntil = Math.max(restsUntil, now + afterMs);
    },
  };
}
