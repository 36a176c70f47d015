/** Times on the command line: a moment, or how long ago. */
import { SluiceError } from '../errors.ts';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds since the epoch. `now` likewise. */
export function timeOf(flag: string, text: string, now: number): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return now - Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? 0);
  const moment = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new SluiceError(
    'USAGE',
    `${flag}: "${text}" is no time; allowed: 90s, 15m, 2h, 7d ago, or 2026-01-31T08:00:00Z`,
  );
}
