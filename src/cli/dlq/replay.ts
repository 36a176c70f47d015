/** `sluice dlq replay`: produces the records of letters again. What it did, and what it refused, it tells at the end. */
import { SluiceError } from '../../errors.ts';
import type { Letter } from '../../kafka/letters/letter.ts';
import { refusalOf, replayLetters } from '../../kafka/letters/replay.ts';
import { selectLetters } from '../../kafka/letters/survey.ts';
import { confirmed } from '../confirm.ts';
import { createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { type FilterFlags, topicsToSearch, wantedLetters } from './filter.ts';
import { letterTable, SHAPE_VERSION } from './shape.ts';
import { withLetters } from './source.ts';

const SAMPLE = 10;
const RECORDS_PER_SECOND = 100;
const MOST_REFUSALS_TOLD = 20;

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
  const { rate = RECORDS_PER_SECOND, to, force: isForced = false } = flags;
  if (rate < 1) throw new SluiceError('USAGE', '--rate: at least 1 record a second');
  const { config, clock } = await createContext(flags, 'dlq');
  const isWanted = wantedLetters(ids, flags, clock.now());
  return withLetters(config, async (access) => {
    const topics = topicsToSearch(config, ids, flags);
    const { selections, count, sample } = await selectLetters(access, topics, isWanted, SAMPLE);
    if (flags.dryRun || count === 0) return dryRun(count, sample, flags);
    showSample(count, sample, flags);
    if (!(await confirmed(`Replay ${count} letters${to === undefined ? '' : ` to ${to}`}`, flags))) return EXIT.failed;
    const interrupted = new AbortController();
    process.once('SIGINT', () => interrupted.abort());
    const { replayed, refused } = await replayLetters(selections, {
      source: access,
      writer: access.writer,
      to,
      isForced,
      recordsPerSecond: rate,
      clock,
      signal: interrupted.signal,
      onProgress: (done) => progress(done, count),
    });
    if (process.stderr.isTTY) process.stderr.write('\n');
    return tell({ replayed, refused, count, isInterrupted: interrupted.signal.aborted }, flags);
  });
}

function dryRun(count: number, sample: readonly Letter[], flags: ReplayFlags): number {
  const settings = { to: flags.to, isForced: flags.force ?? false };
  const refusals = sample.flatMap((letter) => {
    const why = refusalOf(letter, settings);
    return why === undefined ? [] : [`${letter.id} would be refused: ${why}`];
  });
  if (flags.json) {
    printJson({ version: SHAPE_VERSION, wouldReplay: count, sample: sample.map(({ id }) => id), refusals });
    return EXIT.ok;
  }
  printLines([`${count} letters would be replayed`, ...(count > 0 ? ['', ...letterTable(sample)] : []), ...refusals]);
  return EXIT.ok;
}

/** On stderr: what is confirmed is no data. */
function showSample(count: number, sample: readonly Letter[], { yes }: DealFlags): void {
  if (yes) return;
  const more = count > sample.length ? [`... and ${count - sample.length} more`] : [];
  process.stderr.write(`${[...letterTable(sample), ...more].join('\n')}\n`);
}

function progress(done: number, count: number): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${count} replayed`);
}

interface Outcome {
  readonly replayed: number;
  readonly refused: ReadonlyMap<string, string>;
  readonly count: number;
  readonly isInterrupted: boolean;
}

function tell({ replayed, refused, count, isInterrupted }: Outcome, { json }: ReplayFlags): number {
  const elsewhere = Math.max(0, count - replayed - refused.size);
  if (json) {
    const list = [...refused].map(([id, why]) => ({ id, why }));
    printJson({ version: SHAPE_VERSION, replayed, refused: list, left: isInterrupted ? elsewhere : 0 });
  } else {
    const told = [...refused].slice(0, MOST_REFUSALS_TOLD).map(([id, why]) => `${id} refused: ${why}`);
    printLines([`${replayed} replayed, ${refused.size} refused`, ...told]);
  }
  if (isInterrupted) return EXIT.interrupted;
  if (refused.size === 0) return EXIT.ok;
  return replayed > 0 ? EXIT.partial : EXIT.failed;
}
