/**
 * `npm run faults`: the fault kit on servers of its own, so that every kind of fault can be done. Exit codes: 0 when
 * nothing was violated, 1 otherwise, 2 for options that cannot be used, 130 when it was interrupted.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Checked, check } from '../src/faults/check/check.ts';
import { isViolated, reportLines } from '../src/faults/check/report.ts';
import { readHistory } from '../src/faults/history.ts';
import { KINDS } from '../src/faults/kinds/kinds.ts';
import { kindsFor, runFaults } from '../src/faults/run.ts';
import { startBroker } from './broker.ts';
import { type FaultsOptions, readOptions, USAGE } from './options.ts';
import { writeTable } from './table.ts';

async function main(options: FaultsOptions): Promise<number> {
  if (options.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (options.list) {
    for (const { name, does } of KINDS) process.stdout.write(`${name.padEnd(24)}${does}\n`);
    return 0;
  }
  if (options.check !== undefined) return show(check(readHistory(options.check)), options);
  return run(options);
}

async function run(options: FaultsOptions): Promise<number> {
  const { seed, minutes, only, rate } = options;
  const dir = options.dir === undefined ? mkdtempSync(join(tmpdir(), 'sluice-faults-')) : resolve(options.dir);
  mkdirSync(dir, { recursive: true });
  const interrupt = interruptSignal();
  note(`history and logs: ${dir}`);
  const broker = await startBroker(dir);
  process.once('exit', broker.killNow);
  const checked = await runFaults({
    dir,
    seed,
    minutes,
    only,
    rate,
    broker,
    kafka: { brokers: broker.brokers },
    prefix: 'faults',
    env: process.env,
    mayFlush: true,
    signal: interrupt,
    tell: note,
    onOpen: (killNow) => void process.once('exit', killNow),
  });
  await broker.kill();
  if (options.report !== undefined) writeTable(options.report, checked.verdict);
  const code = show(checked, options);
  if (code === 0 && options.dir === undefined) rmSync(dir, { recursive: true, force: true });
  else note(`history and logs are kept: ${dir}`);
  return interrupt.aborted ? 130 : code;
}

const UNSTARTED = { kill: async () => undefined, start: async () => undefined };

/** The first Ctrl-C ends the run in order, the second at once. */
function interruptSignal(): AbortSignal {
  const interrupt = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) process.exit(130);
      interrupt.abort();
    });
  }
  return interrupt.signal;
}

function show(checked: Checked, { json, only }: FaultsOptions): number {
  for (const line of reportLines(checked)) json ? note(line) : process.stdout.write(`${line}\n`);
  const isBad = isViolated(checked);
  const { seed, minutes } = checked.verdict;
  const names = only.map((name) => ` --only ${name}`).join('');
  if (isBad) note(`\nviolated with seed ${seed}; again: npm run faults -- --seed ${seed} --minutes ${minutes}${names}`);
  if (json) process.stdout.write(`${JSON.stringify(checked.verdict)}\n`);
  return isBad ? 1 : 0;
}

function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

function optionsOrExit(): FaultsOptions {
  try {
    const options = readOptions(process.argv.slice(2));
    kindsFor({ only: options.only, mayFlush: true, broker: UNSTARTED, redisUrl: undefined });
    return options;
  } catch (error) {
    note(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    process.exit(2);
  }
}

process.exit(
  await main(optionsOrExit()).catch((error: unknown) => {
    note(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return 1;
  }),
);
