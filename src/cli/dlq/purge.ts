/** `sluice dlq purge`: takes letters away for good. What is deleted cannot be brought back; it says so, and asks. */
import { type Purged, purgeLetters } from '../../kafka/letters/purge.ts';
import { confirmed } from '../confirm.ts';
import { createContext } from '../context.ts';
import { EXIT } from '../exit.ts';
import { counted, printJson, printLines } from '../output.ts';
import { type Chosen, chooser } from './named.ts';
import { refusalLines, refusalList } from './refusals.ts';
import type { DealFlags } from './replay.ts';
import { SHAPE_VERSION, sampleTable } from './shape.ts';
import { withLetters } from './source.ts';

const SAMPLE = 10;

export async function purge(ids: readonly string[], flags: DealFlags): Promise<number> {
  const { config, clock } = await createContext(flags, 'dlq');
  const { look } = chooser(config, ids, flags, clock.now());
  return withLetters(config, async (access) => {
    const chosen = await look(access, SAMPLE);
    const { count, sample, absent } = chosen;
    if (flags.dryRun) return dryRun(chosen, flags);
    const shown = [...sampleTable(sample, count), ...refusalLines(absent)];
    if (!flags.yes && shown.length > 0) process.stderr.write(`${shown.join('\n')}\n`);
    const question = `Purge ${counted(count, 'letter')} for good, of which there is no other copy`;
    if (count === 0) return tell({ purged: 0, deletedRecords: 0 }, chosen, flags);
    if (!(await confirmed(question, flags))) return EXIT.failed;
    const done = await purgeLetters(chosen.selections, { source: access, writer: access.writer });
    return tell(done, chosen, flags);
  });
}

function tell({ purged, deletedRecords }: Purged, { absent }: Chosen, { json }: DealFlags): number {
  if (json) printJson({ version: SHAPE_VERSION, purged, deletedRecords, refused: refusalList(absent) });
  else
    printLines([
      `${purged} purged, ${absent.size} refused; Kafka deleted ${counted(deletedRecords, 'record')}`,
      ...refusalLines(absent),
      'What lies behind a letter that still waits is hidden, and deleted with retention.',
    ]);
  return absent.size === 0 ? EXIT.ok : EXIT.partial;
}

function dryRun({ count, sample, absent }: Chosen, { json }: DealFlags): number {
  if (json) {
    const ids = sample.map(({ id }) => id);
    printJson({ version: SHAPE_VERSION, wouldPurge: count, sample: ids, refused: refusalList(absent) });
  } else {
    const number = `${counted(count, 'letter')} would be purged, for good; ${absent.size} refused`;
    printLines([number, ...sampleTable(sample, count), ...refusalLines(absent)]);
  }
  return EXIT.ok;
}
