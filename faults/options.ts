/** What `npm run faults` is asked to do. */
import { parseArgs } from 'node:util';

export const USAGE = `usage: npm run faults -- [--seed S] [--minutes M] [--only NAME[,NAME]] [--rate N] [--json] [--report FILE] [--dir FOLDER]
       npm run faults -- --check FILE [--json]
       npm run faults -- --list`;

export interface FaultsOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly only: readonly string[];
  /** Records a second. */
  readonly rate: number;
  readonly json: boolean;
  readonly list: boolean;
  readonly help: boolean;
  /** A history to be checked, in place of a run. */
  readonly check: string | undefined;
  /** A Markdown file whose table of recovery times is written. */
  readonly report: string | undefined;
  /** Folder of the run. Default: a new temporary one, removed when nothing was violated. */
  readonly dir: string | undefined;
}

/** Throws what is wrong, for people. */
export function readOptions(args: readonly string[]): FaultsOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '10' },
      only: { type: 'string', multiple: true, default: [] },
      rate: { type: 'string', default: '200' },
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      check: { type: 'string' },
      report: { type: 'string' },
      dir: { type: 'string' },
    },
  });
  return {
    ...values,
    seed: number('--seed', values.seed, 0, 2 ** 31 - 1, true),
    minutes: number('--minutes', values.minutes, 0.1, 10_000, false),
    rate: number('--rate', values.rate, 1, 10_000, true),
    only: values.only.flatMap((names) => names.split(',')),
    check: values.check,
    report: values.report,
    dir: values.dir,
  };
}

function number(name: string, text: string, least: number, most: number, isWhole: boolean): number {
  const value = Number(text);
  const isFit = text.trim() !== '' && value >= least && value <= most && (!isWhole || Number.isInteger(value));
  if (isFit) return value;
  throw new Error(
    `${name}: "${text}" is not allowed; allowed: a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`,
  );
}
