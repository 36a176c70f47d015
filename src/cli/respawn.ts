/**
 * How soon a child is started again. The first time within half a second; one that keeps ending at once waits ever
 * longer, up to 30 s. One that got to work and stayed at it for a second has earned a fresh count, so that children
 * killed again and again under load come back quickly, and one that crashes on its first job does not spin.
 */
import { type Backoff, backoffDelay } from '../backoff.ts';

const BACKOFF: Backoff = { baseMs: 500, maxMs: 30_000 };
const WELL_AFTER_MS = 1_000;

/** Failures in a row, the one at hand included. `workedMs`: since it said that it is ready; undefined: it never did. */
export function failuresInARow(before: number, workedMs: number | undefined): number {
  return workedMs !== undefined && workedMs >= WELL_AFTER_MS ? 1 : before + 1;
}

/** Milliseconds until the next start; the upper half of the backoff's range, so that it is never at once. */
export function respawnDelay(failures: number, random: () => number = Math.random): number {
  return backoffDelay(BACKOFF, failures, () => (1 + random()) / 2);
}
