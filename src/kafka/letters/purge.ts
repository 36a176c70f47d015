/**
 * Takes dead letters out of sight, and out of Kafka where that is possible: Kafka deletes from the front of a partition
 * only. What is purged behind a letter that still waits is marked, and goes when that one does, or by retention.
 */
import type { KafkaAdmin, TransactionalProducer } from '../consumer.ts';
import { letterId } from './letter.ts';
import { MOST_LETTERS, markRecord } from './marks.ts';
import { type LetterSource, type Selection, selectLetters } from './survey.ts';

export interface PurgeOptions {
  readonly source: LetterSource & { readonly admin: KafkaAdmin };
  /** A new writer by the name that belongs to the dead-letter topic. */
  readonly writer: (letterTopic: string) => TransactionalProducer;
}

export interface Purged {
  readonly purged: number;
  /** Records that Kafka has deleted, those dealt with earlier and marks included. */
  readonly deletedRecords: number;
}

/** Purges what of the selections still waits. */
export async function purgeLetters(selections: readonly Selection[], options: PurgeOptions): Promise<Purged> {
  let [purged, deletedRecords] = [0, 0];
  for (const [topic, of] of Map.groupBy(selections, (each) => each.topic)) {
    const done = await purgeTopic(topic, of, options);
    purged += done.purged;
    deletedRecords += done.deletedRecords;
  }
  return { purged, deletedRecords };
}

async function purgeTopic(topic: string, of: readonly Selection[], { source, writer: open }: PurgeOptions) {
  const wanted = new Set(of.flatMap((each) => each.offsets.map((offset) => letterId({ ...each, offset }))));
  const writer = open(topic);
  try {
    await writer.start();
    const { selections, count } = await selectLetters(source, [topic], ({ id }) => wanted.has(id), 0);
    let deletedRecords = 0;
    for (const selection of selections) {
      await mark(writer, selection);
      deletedRecords += await deleteFront(source.admin, selection);
    }
    return { purged: count, deletedRecords };
  } finally {
    await writer.stop(2_000);
  }
}

/** What is deleted needs no mark. */
async function mark(writer: TransactionalProducer, selection: Selection): Promise<void> {
  const left = selection.offsets.filter((offset) => offset >= selection.doneBelow);
  for (let at = 0; at < left.length; at += MOST_LETTERS) {
    await writer.write([markRecord(selection, 'purged', left.slice(at, at + MOST_LETTERS))]);
  }
}

async function deleteFront(admin: KafkaAdmin, { topic, partition, doneBelow }: Selection): Promise<number> {
  const low = (await admin.bounds([topic])).get(`${topic}/${partition}`)?.low ?? 0;
  if (doneBelow <= low) return 0;
  await admin.deleteBelow({ topic, partition }, doneBelow);
  return doneBelow - low;
}
