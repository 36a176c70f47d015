/**
 * Counts dead letters by what they tell: a job that died, or a record that could not become one. Letters are read, and
 * not counted by offsets, because other records stand between them (what became of a letter, ends of transactions).
 * Each look reads what came since the last; of what was there before the first, the newest of each partition.
 */
import { LETTER } from '../../job/letter.ts';
import type { Bounds, RecordReader } from '../../kafka/consumer.ts';
import { States } from '../../kafka/letters/survey.ts';
import { within } from '../../service.ts';

/** Records of a partition that are read at the first look. */
const LOOK_BACK = 2_000;
/** A look tells what else it has seen when this takes longer; the next one goes on from there. */
const READ_WITHIN_MS = 2_000;

export interface LetterCounts {
  /** Those that Kafka holds; older ones than were read count whatever they are. */
  readonly held: number;
  /** Those that nobody has replayed or purged. */
  readonly waiting: number;
  /** Of those that were read and wait. */
  readonly dead: number;
  readonly rejected: number;
}

interface Seen {
  readonly first: number;
  next: number;
  letters: readonly { readonly offset: number; readonly isDead: boolean }[];
  readonly states: States;
}

export class LetterTally {
  readonly #reader: RecordReader;
  readonly #seen = new Map<string, Seen>();
  /** What a look did not wait for. */
  readonly #reading = new Map<string, Promise<LetterCounts | undefined>>();

  constructor(reader: RecordReader) {
    this.#reader = reader;
  }

  /** `partitions` by `topic/partition`. Undefined when the letters cannot be read, or not in time. */
  async count(topic: string, partitions: readonly (readonly [string, Bounds])[]): Promise<LetterCounts | undefined> {
    const reading = this.#reading.get(topic) ?? this.#readAll(topic, partitions);
    this.#reading.set(topic, reading);
    return within(READ_WITHIN_MS, reading);
  }

  async #readAll(topic: string, partitions: readonly (readonly [string, Bounds])[]): Promise<LetterCounts | undefined> {
    try {
      const all = await Promise.all(partitions.map(([key, bounds]) => this.#read(topic, key, bounds)));
      return all.reduce(sum, { held: 0, waiting: 0, dead: 0, rejected: 0 });
    } catch {
      return undefined;
    } finally {
      this.#reading.delete(topic);
    }
  }

  async #read(topic: string, key: string, { low, high }: Bounds): Promise<LetterCounts> {
    const start = Math.max(low, high - LOOK_BACK);
    const seen = this.#seen.get(key) ?? { first: start, next: start, letters: [], states: new States() };
    this.#seen.set(key, seen);
    const partition = Number(key.slice(key.lastIndexOf('/') + 1));
    while (seen.next < high) {
      const records = await this.#reader.read(topic, partition, Math.max(seen.next, low));
      for (const record of records) seen.states.learn(record);
      const found = records.filter(({ headers }) => headers[LETTER.reason] !== undefined);
      const letters = found.map(({ offset, headers }) => ({ offset, isDead: headers[LETTER.reason] === 'dead' }));
      seen.letters = [...seen.letters, ...letters];
      seen.next = (records.at(-1)?.offset ?? high - 1) + 1;
    }
    seen.letters = seen.letters.filter(({ offset }) => offset >= low);
    const unread = Math.max(0, seen.first - low);
    const waiting = seen.letters.filter(({ offset }) => seen.states.of(offset) === 'waiting');
    const dead = waiting.filter(({ isDead }) => isDead).length;
    const counts = { waiting: unread + waiting.length, dead, rejected: waiting.length - dead };
    return { held: unread + seen.letters.length, ...counts };
  }
}

function sum(a: LetterCounts, b: LetterCounts): LetterCounts {
  return {
    held: a.held + b.held,
    waiting: a.waiting + b.waiting,
    dead: a.dead + b.dead,
    rejected: a.rejected + b.rejected,
  };
}
