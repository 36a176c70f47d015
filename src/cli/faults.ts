/**
 * `sluice faults`: the fault kit against servers of the user's own, such as staging. It acts only on what the command
 * line names, never on what a configuration or the environment says: brokers, Redis, and a prefix of names that
 * nobody has yet. Of faults it does those that can be caused from outside; FLUSHALL only when it is allowed to.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { SluiceError } from '../errors.ts';
import { type Checked, check } from '../faults/check/check.ts';
import { isViolated, reportLines } from '../faults/check/report.ts';
import { readHistory } from '../faults/history.ts';
import { KINDS } from '../faults/kinds/kinds.ts';
import { runFaults } from '../faults/run.ts';
import { addressProblem } from '../redis/address.ts';
import { type CommonFlags, createContext } from './context.ts';
import { EXIT } from './exit.ts';
import { columns, printJson, printLines } from './output.ts';

export interface FaultsFlags extends CommonFlags {
  readonly brokers?: string;
  readonly redis?: string;
  readonly prefix?: string;
  readonly seed: number;
  readonly minutes: number;
  readonly rate: number;
  readonly only?: readonly string[];
  readonly allowFlushall?: boolean;
  readonly dir?: string;
  /** A history to be checked, in place of a run. */
  readonly check?: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

export async function faults(flags: FaultsFlags): Promise<number> {
  if (flags.list) return list();
  if (flags.check !== undefined) return show(check(readHistory(flags.check)), flags);
  const { brokers, redisUrl, prefix } = named(flags);
  const { config } = await createContext(flags, 'faults');
  const dir = flags.dir === undefined ? mkdtempSync(join(tmpdir(), 'sluice-faults-')) : resolve(flags.dir);
  note(`history and logs: ${dir}`);
  const { ssl, sasl } = config.kafka;
  const interrupt = interruptSignal();
  const checked = await runFaults({
    dir,
    seed: flags.seed,
    minutes: flags.minutes,
    rate: flags.rate,
    only: flags.only ?? [],
    kafka: { brokers, ssl, sasl },
    redisUrl,
    prefix,
    env: process.env,
    mayFlush: flags.allowFlushall === true,
    signal: interrupt,
    tell: note,
    onOpen: (killNow) => void process.once('exit', killNow),
  });
  const code = show(checked, flags);
  return interrupt.aborted ? EXIT.interrupted : code;
}

/** What it acts on. Throws USAGE for what is missing. */
function named({ brokers, redis, prefix }: FaultsFlags) {
  const missing = Object.entries({ '--brokers': brokers, '--redis': redis, '--prefix': prefix });
  const names = missing.filter(([, value]) => value === undefined).map(([name]) => name);
  if (names.length > 0)
    throw usage(`${names.join(', ')}: not given; faults are done only to what the command line names`);
  const problem = addressProblem('--redis', redis ?? '');
  if (problem !== undefined) throw usage(problem);
  if (!/^[a-z0-9][a-z0-9-]{2,39}$/.test(prefix ?? ''))
    throw usage(`--prefix: "${prefix}" is not allowed; allowed: 3 to 40 of a-z, 0-9 and -`);
  return { brokers: (brokers as string).split(','), redisUrl: redis as string, prefix: prefix as string };
}

function usage(message: string): SluiceError {
  return new SluiceError('USAGE', message);
}

function list(): number {
  printLines(columns([['KIND', 'WHAT IS DONE'], ...KINDS.map(({ name, does }) => [name, does])]));
  return EXIT.ok;
}

function show(checked: Checked, { json }: FaultsFlags): number {
  const lines = reportLines(checked);
  if (json) for (const line of lines) note(line);
  else printLines(lines);
  const { seed, minutes } = checked.verdict;
  const isBad = isViolated(checked);
  if (isBad) note(`\nviolated; the same faults again: --seed ${seed} --minutes ${minutes}`);
  if (json) printJson(checked.verdict);
  return isBad ? EXIT.failed : EXIT.ok;
}

/** The first Ctrl-C ends the run in order, the second at once. */
function interruptSignal(): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(EXIT.interrupted);
      interrupt.abort();
    });
  }
  return interrupt.signal;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
