/**
 * Produces the records of dead letters again. The records and the marks of their letters are one transaction: a replay
 * that is interrupted and run again sends nothing twice, and two at the same time do not either, because the second
 * takes the transactions' name from the first and looks anew at what is left.
 */
import type { Clock } from '../../clock.ts';
import { isSluiceError, messageOf } from '../../errors.ts';
import type { TopicPartition, TransactionalProducer } from '../consumer.ts';
import { Destinations, type Sending } from './destinations.ts';
import { type Letter, letterId } from './letter.ts';
import { markRecord } from './marks.ts';
import { type LetterSource, lettersOf, type Selection, selectLetters } from './survey.ts';

const CHUNK_RECORDS = 500;
const CHUNK_BYTES = 400_000;
const CHUNK_MS = 500;

export interface ReplayOptions extends Sending {
  readonly source: LetterSource;
  /** A new writer by the name that belongs to the dead-letter topic. */
  readonly writer: (letterTopic: string) => TransactionalProducer;
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
  readonly #destinations: Destinations;

  constructor(topic: string, selections: readonly Selection[], refused: Map<string, string>, options: ReplayOptions) {
    this.#topic = topic;
    this.#wanted = new Set(selections.flatMap((of) => of.offsets.map((offset) => letterId({ ...of, offset }))));
    this.#refused = refused;
    this.#options = options;
    this.#destinations = new Destinations(options.source, options);
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
      await writer.write([
        ...chunk.map((letter) => this.#destinations.addressed(letter)),
        markRecord(of, 'replayed', offsets),
      ]);
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
    for await (const letter of lettersOf(this.#options.source, selection)) {
      const why = await this.#destinations.refusalOf(letter);
      if (why !== undefined) {
        this.#refused.set(letter.id, why);
        continue;
      }
      const size = letter.record.value?.length ?? 0;
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
}
