/** `sluice dlq ls`: the newest letters, or their errors in groups. It says how far it looked. */
import { groupLetters, type LetterGroup } from '../../kafka/letters/groups.ts';
import { newestLetters, type Surveyed } from '../../kafka/letters/survey.ts';
import { createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { columns, counted, printJson, printLines } from '../output.ts';
import { type FilterFlags, filterOf, letterTopicsOf, warnOfMessage } from './filter.ts';
import { letterJson, letterTable, oneLine, SHAPE_VERSION } from './shape.ts';
import { withLetters } from './source.ts';

const SHOWN = 50;
const WINDOW = 10_000;

export interface ListFlags extends FilterFlags {
  readonly limit?: number;
  readonly window?: number;
  readonly group?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
}

export async function ls(flags: ListFlags): Promise<number> {
  const { config, clock } = await createContext(flags, 'dlq');
  const filter = filterOf(flags, clock.now());
  const topics = letterTopicsOf(config, flags);
  const found = await withLetters(config, (access) =>
    newestLetters(access, topics, flags.window ?? WINDOW, filter.isWanted),
  );
  const letters = flags.all ? found.letters : found.letters.filter(({ state }) => state === 'waiting');
  const most = flags.limit ?? SHOWN;
  process.stderr.write(`${windowText(found, letters.length, Math.min(most, letters.length), flags.group)}\n`);
  if (letters.length === 0) warnOfMessage(flags, filter);
  if (flags.group) printGroups(groupLetters(letters).slice(0, most), flags);
  else if (flags.json) for (const each of letters.slice(0, most)) printJson(letterJson(each));
  else if (letters.length > 0) printLines(letterTable(letters.slice(0, most)));
  return EXIT.ok;
}

function windowText({ searched, held }: Surveyed, matching: number, shown: number, isGrouped?: boolean): string {
  const all = held === 1 ? 'the only record' : `all ${counted(held, 'record')}`;
  const where = searched < held ? `the newest ${searched} of ${counted(held, 'record')}` : all;
  const number = counted(matching, 'letter');
  return `searched ${where}: ${isGrouped || shown === matching ? number : `${number}, the newest ${shown} shown`}`;
}

function printGroups(groups: readonly LetterGroup[], { json }: ListFlags): void {
  const time = (at: number) => new Date(at).toISOString();
  if (json) {
    for (const { message = null, firstSeen, lastSeen, ...rest } of groups) {
      printJson({ version: SHAPE_VERSION, ...rest, message, firstSeen: time(firstSeen), lastSeen: time(lastSeen) });
    }
    return;
  }
  const rows = groups.map(({ count, reason, message, error, firstSeen, lastSeen, newest }) => [
    count,
    reason,
    message ?? '',
    time(firstSeen).slice(0, 19),
    time(lastSeen).slice(0, 19),
    newest,
    oneLine(error),
  ]);
  if (rows.length > 0)
    printLines(columns([['COUNT', 'REASON', 'MESSAGE', 'FIRST', 'LAST', 'NEWEST', 'ERROR'], ...rows]));
}
