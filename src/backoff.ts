/**
 * How long to wait before the next try: full jitter under a doubling ceiling.
 * Source: M. Brooker, "Exponential Backoff And Jitter" (2015), `random(0, min(cap, base * 2^n))`.
 */

export interface Backoff {
  /** Ceiling of the first wait, in milliseconds. */
  readonly baseMs: number;
  /** No wait is longer than this, in milliseconds. */
  readonly maxMs: number;
}

/** Milliseconds before try `failures + 1`; `failures` counts from 1. `random` is in [0, 1). */
export function backoffDelay(policy: Backoff, failures: number, random: () => number = Math.random): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(Math.max(0, failures - 1), 40));
  return Math.round(random() * ceiling);
}
