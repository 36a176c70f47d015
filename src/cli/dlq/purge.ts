/** `sluice dlq purge`: takes letters away for good. What is deleted cannot be brought back; it says so, and asks. */
import type { Letter } from '../../kafka/letters/letter.ts';
import { purgeLetters } from '../../kafka/letters/purge.ts';
import { selectLetters } from '../../kafka/letters/survey.ts';
import { confirmed } from '../confirm.ts';
import { createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLines } from '../output.ts';
import { topicsToSearch, wantedLetters } from './filter.ts';
import type { DealFlags } from './replay.ts';
import { letterTable, SHAPE_VERSION } from './shape.ts';
import { withLetters } from './source.ts';

const SAMPLE = 10;

export async function purge(ids: readonly string[], flags: DealFlags): Promise<number> {
  const { config, clock } = await createContext(flags, 'dlq');
  const isWanted = wantedLetters(ids, flags, clock.now());
  return withLetters(config, async (access) => {
    const topics = topicsToSearch(config, ids, flags);
    const { selections, count, sample } = await selectLetters(access, topics, isWanted, SAMPLE);
    if (flags.dryRun || count === 0) return dryRun(count, sample, flags);
    if (!flags.yes) process.stderr.write(`${letterTable(sample).join('\n')}\n`);
    const question = `Purge ${count} letters, which are the only copies and cannot be brought back`;
    if (!(await confirmed(question, flags))) return EXIT.failed;
    const { purged, deletedRecords } = await purgeLetters(selections, { source: access, writer: access.writer });
    if (flags.json) printJson({ version: SHAPE_VERSION, purged, deletedRecords });
    else
      printLines([
        `${purged} purged; Kafka deleted ${deletedRecords} records`,
        'What lies behind a letter that still waits is hidden, and deleted with retention.',
      ]);
    return EXIT.ok;
  });
}

function dryRun(count: number, sample: readonly Letter[], { json }: DealFlags): number {
  if (json) printJson({ version: SHAPE_VERSION, wouldPurge: count, sample: sample.map(({ id }) => id) });
  else printLines([`${count} letters would be purged, for good`, ...(count > 0 ? ['', ...letterTable(sample)] : [])]);
  return EXIT.ok;
}
