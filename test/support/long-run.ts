/** How long a search goes on, and where its randomness begins: `--minutes 10 --seed 1`. */
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors.ts';

export interface LongRun {
  readonly minutes: number;
  readonly seed: number;
  /** In milliseconds since the epoch. */
  readonly end: number;
}

/** Ends the process when it is asked how `npm run <command>` is used, or an option is none. */
export function longRun(command: string): LongRun {
  const usage = `usage: npm run ${command} -- [--minutes M] [--seed S]\n`;
  const refuse = (reason: string): never => {
    process.stderr.write(`${command}: ${reason}\n${usage}`);
    process.exit(2);
  };
  const above0 = (name: string, text: string) => {
    const value = Number(text);
    return Number.isFinite(value) && value > 0
      ? value
      : refuse(`--${name}: "${text}" is not allowed; allowed: a number above 0`);
  };
  const values = readValues(refuse);
  if (values.help) {
    process.stdout.write(usage);
    process.exit(0);
  }
  const minutes = above0('minutes', values.minutes);
  return { minutes, seed: above0('seed', values.seed), end: Date.now() + minutes * 60_000 };
}

function readValues(refuse: (reason: string) => never) {
  try {
    return parseArgs({
      options: {
        help: { type: 'boolean', short: 'h' },
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string', default: '1' },
      },
    }).values;
  } catch (error) {
    return refuse(messageOf(error));
  }
}
