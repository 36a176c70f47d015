/** `sluice dlq replay`: produces the records of letters again. What it did, and what it refused, it tells at the end. */
import { SluiceError } from '../../errors.ts';
import { forecast } from '../../kafka/letters/forecast.ts';
import { type Replayed, replayLetters } from '../../kafka/letters/replay.ts';
import { confirmed } from '../confirm.ts';
import { type Context, createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { counted, printJson, printLines } from '../output.ts';
import type { FilterFlags } from './filter.ts';
import { type Chosen, chooser } from './named.ts';
import { type Refusals, refusalLines, refusalList } from './refusals.ts';
import { SHAPE_VERSION, sampleTable } from './shape.ts';
import { type LetterAccess, withLetters } from './source.ts';

const SAMPLE = 10;
const RECORDS_PER_SECOND = 100;

export interface DealFlags extends FilterFlags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export interface ReplayFlags extends DealFlags {
  readonly to?: string;
  readonly rate?: number;
  readonly force?: boolean;
}

export async function replay(ids: readonly string[], flags: ReplayFlags): Promise<number> {
  const { rate = RECORDS_PER_SECOND, to } = flags;
  if (rate < 1) throw new SluiceError('USAGE', '--rate: at least 1 record a second');
  const { config, clock } = await createContext(flags, 'dlq');
  const { look } = chooser(config, ids, flags, clock.now());
  return withLetters(config, async (access) => {
    const chosen = await look(access, SAMPLE);
    const { count } = chosen;
    if (flags.dryRun) return dryRun(access, chosen, flags);
    if (count === 0) return tell(NOTHING, { ...chosen, isInterrupted: false }, flags);
    showSample(chosen, flags);
    const question = `Replay ${counted(count, 'letter')}${to === undefined ? '' : ` to ${to}`}`;
    if (!(await confirmed(question, flags))) return EXIT.failed;
    return carryOut(access, chosen, flags, clock);
  });
}

async function carryOut(
  access: LetterAccess,
  { selections, count, absent }: Chosen,
  flags: ReplayFlags,
  clock: Context['clock'],
): Promise<number> {
  const { rate = RECORDS_PER_SECOND, to, force: isForced = false } = flags;
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const done = await replayLetters(selections, {
    source: access,
    writer: access.writer,
    to,
    isForced,
    recordsPerSecond: rate,
    clock,
    signal: interrupted.signal,
    onProgress: (replayed) => progress(replayed, count),
  });
  if (process.stderr.isTTY) process.stderr.write('\n');
  return tell(done, { count, absent, isInterrupted: interrupted.signal.aborted }, flags);
}

async function dryRun(access: LetterAccess, { selections, absent }: Chosen, flags: ReplayFlags): Promise<number> {
  const { to, force: isForced = false, json } = flags;
  const foreseen = await forecast(selections, { source: access, to, isForced, sampleSize: SAMPLE });
  const { replayed, sample } = foreseen;
  const refused: Refusals = new Map([...absent, ...foreseen.refused]);
  if (json) {
    const shown = sample.map(({ id }) => id);
    printJson({ version: SHAPE_VERSION, wouldReplay: replayed, sample: shown, refused: refusalList(refused) });
  } else {
    const number = `${counted(replayed, 'letter')} would be replayed, ${refused.size} refused`;
    printLines([number, ...sampleTable(sample, replayed), ...refusalLines(refused)]);
  }
  return EXIT.ok;
}

/** On stderr: what is confirmed is no data. */
function showSample({ count, sample, absent }: Chosen, { yes }: DealFlags): void {
  const lines = [...sampleTable(sample, count), ...refusalLines(absent)];
  if (!yes && lines.length > 0) process.stderr.write(`${lines.join('\n')}\n`);
}

function progress(done: number, count: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${count} replayed`);
}

const NOTHING: Replayed = { replayed: 0, refused: new Map() };

interface Circumstances {
  readonly count: number;
  readonly absent: Refusals;
  readonly isInterrupted: boolean;
}

function tell(done: Replayed, { count, absent, isInterrupted }: Circumstances, { json }: ReplayFlags): number {
  const { replayed } = done;
  const refused: Refusals = new Map([...absent, ...done.refused]);
  const left = isInterrupted ? Math.max(0, count - replayed - done.refused.size) : 0;
  if (json) printJson({ version: SHAPE_VERSION, replayed, refused: refusalList(refused), left });
  else printLines([`${replayed} replayed, ${refused.size} refused`, ...refusalLines(refused)]);
  if (isInterrupted) return EXIT.interrupted;
  if (refused.size === 0) return EXIT.ok;
  return replayed > 0 ? EXIT.partial : EXIT.failed;
}
