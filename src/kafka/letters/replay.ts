/**
 * Produces the records of dead letters again. The records and the marks of their letters are one transaction: a replay
 * that is interrupted and run again sends nothing twice, and two at the same time do not either, because the second
 * takes the transactions' name from the first and looks anew at what is left.
 */
import type { Clock } from '../../clock.ts';
import { isSluiceError, messageOf } from '../../errors.ts';
import { HISTORY, replayHeaders } from '../../job/letter.ts';
import {
  type AddressedRecord,
  type KafkaRecord,
  partitionKey,
  type TopicPartition,
  type TransactionalProducer,
} from '../consumer.ts';
import { type Letter, letterId, toLetter } from './letter.ts';
import { markRecord } from './marks.ts';
import { type LetterSource, readOn, type Selection, selectLetters } from './survey.ts';

/** Beyond this, a record that dies again and again is a loop. */
export const MOST_REPLAYS = 3;
const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 400_000;
const CHUNK_MS = 500;

export interface ReplayOptions {
  readonly source: LetterSource;
  /** A new writer by the name that belongs to the dead-letter topic. */
  readonly writer: (letterTopic: string) => TransactionalProducer;
  /** Topic to produce to, instead of each record's own. */
  readonly to?: string | undefined;
  /** Replays also what was replayed MOST_REPLAYS times. */
  readonly isForced: boolean;
  readonly recordsPerSecond: number;
  readonly clock: Clock;
  /** Fires when it is to end after the transaction under way. */
  readonly signal: AbortSignal;
  readonly onProgress: (replayed: number) => void;
}

export interface Replayed {
  readonly replayed: number;
  /** Why a letter was not replayed, by its id. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Why a letter cannot be replayed, or undefined. */
export function refusalOf(
  letter: Letter,
  { to, isForced }: Pick<ReplayOptions, 'to' | 'isForced'>,
): string | undefined {
  const { origin, record } = letter;
  if (origin === undefined && to === undefined) return 'it does not say which topic it came from; name one with --to';
  if (record.headers[HISTORY.rebuilt] === 'data') {
    return "its record had left the log, and the job's data does not fit its message type";
  }
  if (letter.timesReplayed >= MOST_REPLAYS && !isForced) {
    return `it was replayed ${letter.timesReplayed} times and died again; --force replays it once more`;
  }
  return undefined;
}

/** Replays what of the selections still waits when its turn comes. */
export async function replayLetters(selections: readonly Selection[], options: ReplayOptions): Promise<Replayed> {
  const refused = new Map<string, string>();
  let replayed = 0;
  for (const [topic, of] of Map.groupBy(selections, (each) => each.topic)) {
    const run = new Run(topic, of, refused, options);
    await run.toTheEnd((count) => {
      replayed += count;
      options.onProgress(replayed);
    });
  }
  return { replayed, refused };
}

/** One dead-letter topic. */
class Run {
  readonly #topic: string;
  readonly #wanted: Set<string>;
  readonly #refused: Map<string, string>;
  readonly #options: ReplayOptions;
  /** Letters that go by themselves, because a transaction with them failed. */
  readonly #alone = new Set<string>();
  #partitions: ReadonlyMap<string, unknown> = new Map();

  constructor(topic: string, selections: readonly Selection[], refused: Map<string, string>, options: ReplayOptions) {
    this.#topic = topic;
    this.#wanted = new Set(selections.flatMap((of) => of.offsets.map((offset) => letterId({ ...of, offset }))));
    this.#refused = refused;
    this.#options = options;
  }

  async toTheEnd(onReplayed: (count: number) => void): Promise<void> {
    while (!(await this.#pass(onReplayed)));
  }

  /** False after a transaction that Kafka did not take: its writer cannot be trusted to count on. */
  async #pass(onReplayed: (count: number) => void): Promise<boolean> {
    const { source, writer: open, signal } = this.#options;
    const writer = open(this.#topic);
    try {
      await writer.start();
      const isOurs = ({ id }: Letter) => this.#wanted.has(id) && !this.#refused.has(id);
      const { selections } = await selectLetters(source, [this.#topic], isOurs, 0);
      for (const selection of selections) {
        for await (const chunk of this.#chunks(selection)) {
          if (signal.aborted) return true;
          if (!(await this.#write(writer, selection, chunk))) return false;
          onReplayed(chunk.length);
        }
      }
      return true;
    } finally {
      await writer.stop(2_000);
    }
  }

  async #write(writer: TransactionalProducer, of: TopicPartition, chunk: readonly Letter[]): Promise<boolean> {
    const { clock, recordsPerSecond, signal } = this.#options;
    const offsets = chunk.map(({ place }) => place.offset);
    try {
      await writer.write([...chunk.map((letter) => this.#again(letter)), markRecord(of, 'replayed', offsets)]);
    } catch (error) {
      if (!isSluiceError(error, 'UNFIT')) throw error;
      for (const { id } of chunk) {
        if (chunk.length > 1) this.#alone.add(id);
        else this.#refused.set(id, messageOf(error));
      }
      return false;
    }
    await clock.sleep((chunk.length / recordsPerSecond) * 1_000, signal);
    return true;
  }

  async *#chunks(selection: Selection): AsyncGenerator<readonly Letter[]> {
    const most = Math.max(1, Math.min(CHUNK_RECORDS, Math.floor((this.#options.recordsPerSecond * CHUNK_MS) / 1_000)));
    let chunk: Letter[] = [];
    let bytes = 0;
    for await (const record of this.#records(selection)) {
      const letter = toLetter(selection, record, 'waiting');
      const why = refusalOf(letter, this.#options) ?? (await this.#noPlaceFor(letter));
      if (why !== undefined) {
        this.#refused.set(letter.id, why);
        continue;
      }
      const size = record.value?.length ?? 0;
      const isFull = chunk.length >= most || bytes + size > CHUNK_BYTES || this.#alone.has(letter.id);
      if (chunk.length > 0 && (isFull || this.#alone.has((chunk.at(-1) as Letter).id))) {
        yield chunk;
        chunk = [];
        bytes = 0;
      }
      chunk.push(letter);
      bytes += size;
    }
    if (chunk.length > 0) yield chunk;
  }

  async *#records(selection: Selection): AsyncGenerator<KafkaRecord> {
    const due = new Set(selection.offsets);
    const [first] = selection.offsets;
    if (first === undefined) return;
    for await (const records of readOn(this.#options.source, selection, first)) {
      for (const record of records) {
        if (due.delete(record.offset)) yield record;
        if (due.size === 0) return;
      }
    }
  }

  /** Partitions of where the letters go are asked for once a topic. */
  async #noPlaceFor({ origin }: Letter): Promise<string | undefined> {
    const { source, to } = this.#options;
    const topic = to ?? origin?.topic ?? '';
    if (!this.#partitions.has(partitionKey({ topic, partition: 0 }))) {
      if (!(await source.admin.topics()).includes(topic)) return `there is no topic ${topic}`;
      this.#partitions = new Map([...this.#partitions, ...(await source.admin.bounds([topic]))]);
    }
    return undefined;
  }

  /** To the partition that it came from, whoever chose that, so that it stays with the other records of its key. */
  #again({ record, origin }: Letter): AddressedRecord {
    const { key, value, headers } = record;
    const { to } = this.#options;
    const own = to === undefined ? origin : undefined;
    const isThere = own !== undefined && this.#partitions.has(partitionKey(own));
    return {
      topic: to ?? origin?.topic ?? '',
      key,
      value,
      headers: replayHeaders(headers),
      ...(isThere && { partition: own.partition }),
    };
  }
}
