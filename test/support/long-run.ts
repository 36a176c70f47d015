/** How long a search goes on, and where its randomness begins: `--minutes 10 --seed 1`. */
import { parseArgs } from 'node:util';

export interface LongRun {
  readonly minutes: number;
  readonly seed: number;
  /** In milliseconds since the epoch. */
  readonly end: number;
}

/** Ends the process when an option is none. */
export function longRun(): LongRun {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' } },
  });
  const minutes = numberOf('minutes', values.minutes);
  return { minutes, seed: numberOf('seed', values.seed), end: Date.now() + minutes * 60_000 };
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  process.stderr.write(`--${name} is '${text}'; it takes a number above 0\n`);
  process.exit(2);
}
