/**
 * Looks through dead-letter topics: which letters there are, and what became of each. Marks stand behind their letters,
 * so a state is known only when everything up to the end was read. Of letters, only the wanted are kept.
 */
import { isSluiceError } from '../../errors.ts';
import type { KafkaAdmin, KafkaRecord, RecordReader, TopicPartition } from '../consumer.ts';
import { type Letter, type LetterState, toLetter } from './letter.ts';
import { isMark, type MarkState, markIn } from './marks.ts';

export interface LetterSource {
  readonly reader: RecordReader;
  readonly admin: Pick<KafkaAdmin, 'bounds' | 'topics'>;
}

/** Reads the partition from an offset to its end, in order. What is deleted meanwhile is passed over. */
export async function* readOn(
  { reader, admin }: LetterSource,
  { topic, partition }: TopicPartition,
  from: number,
): AsyncGenerator<readonly KafkaRecord[]> {
  for (let next = from; ; ) {
    try {
      const records = await reader.read(topic, partition, next);
      if (records.length === 0) return;
      yield records;
      next = (records.at(-1) as KafkaRecord).offset + 1;
    } catch (error) {
      const low = (await admin.bounds([topic])).get(`${topic}/${partition}`)?.low ?? next;
      if (!isSluiceError(error, 'OUT_OF_RANGE') || low <= next) throw error;
      next = low;
    }
  }
}

/** What became of the letters of one partition. */
export class States {
  readonly #states = new Map<number, MarkState>();

  learn(record: KafkaRecord): void {
    const mark = markIn(record);
    if (mark === undefined) return;
    for (const [first, last] of mark.runs) {
      // A mark speaks of what stands before it, however much somebody wrote into it.
      for (let offset = first; offset <= Math.min(last, record.offset); offset++) this.#states.set(offset, mark.state);
    }
  }

  of(offset: number): LetterState {
    return this.#states.get(offset) ?? 'waiting';
  }
}

export interface Surveyed {
  readonly letters: readonly Letter[];
  /** Records that were looked at, marks included, and those that the topics hold. */
  readonly searched: number;
  readonly held: number;
}

/** The letters among the newest `window` records of the topics, newest first. Topics that are not there are empty. */
export async function newestLetters(
  source: LetterSource,
  topics: readonly string[],
  window: number,
  isWanted: (letter: Letter) => boolean,
): Promise<Surveyed> {
  const partitions = await partitionsOf(source, topics);
  const held = partitions.reduce((sum, { low, high }) => sum + high - low, 0);
  const share = Math.ceil(window / Math.max(1, partitions.filter(({ low, high }) => high > low).length));
  const letters: Letter[] = [];
  let searched = 0;
  for (const { low, high, ...of } of partitions) {
    if (high <= low) continue;
    const from = Math.max(low, high - share);
    searched += high - from;
    letters.push(...(await lettersFrom(source, of, from, isWanted)));
  }
  letters.sort((a, b) => b.at - a.at || b.place.offset - a.place.offset);
  return { letters, searched, held };
}

async function lettersFrom(
  source: LetterSource,
  of: TopicPartition,
  from: number,
  isWanted: (letter: Letter) => boolean,
): Promise<Letter[]> {
  const states = new States();
  const found: KafkaRecord[] = [];
  for await (const records of readOn(source, of, from)) {
    for (const record of records) {
      if (isMark(record)) states.learn(record);
      else if (isWanted(toLetter(of, record, 'waiting'))) found.push(record);
    }
  }
  return found.map((record) => toLetter(of, record, states.of(record.offset)));
}

export interface LetterPartition extends TopicPartition {
  readonly low: number;
  readonly high: number;
}

export async function partitionsOf({ admin }: LetterSource, topics: readonly string[]): Promise<LetterPartition[]> {
  const existing = new Set(await admin.topics());
  const present = topics.filter((topic) => existing.has(topic));
  const bounds = await admin.bounds(present);
  return [...bounds].map(([key, { low, high }]) => {
    const slash = key.lastIndexOf('/');
    return { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)), low, high };
  });
}

/** What is to be dealt with in one partition. */
export interface Selection extends TopicPartition {
  /** Offsets of the letters that wait and are wanted, in order. */
  readonly offsets: readonly number[];
  /** Everything below is dealt with once these are. */
  readonly doneBelow: number;
}

export interface Selected {
  readonly selections: readonly Selection[];
  readonly count: number;
  readonly sample: readonly Letter[];
}

/** Every waiting letter that is wanted, however old. Only a sample is held in full. */
export async function selectLetters(
  source: LetterSource,
  topics: readonly string[],
  isWanted: (letter: Letter) => boolean,
  sampleSize: number,
): Promise<Selected> {
  const selections: Selection[] = [];
  const sample: Letter[] = [];
  for (const { low, high, ...of } of await partitionsOf(source, topics)) {
    if (high <= low) continue;
    const { selection, first } = await selectIn(source, of, low, isWanted, sampleSize - sample.length);
    selections.push(selection);
    sample.push(...first);
  }
  return { selections, sample, count: selections.reduce((sum, { offsets }) => sum + offsets.length, 0) };
}

/** The letters of the selection, read again, in order; those that were deleted meanwhile are missing. */
export async function* lettersOf(source: LetterSource, selection: Selection): AsyncGenerator<Letter> {
  const due = new Set(selection.offsets);
  const [first] = selection.offsets;
  if (first === undefined) return;
  for await (const records of readOn(source, selection, first)) {
    for (const record of records) {
      if (due.delete(record.offset)) yield toLetter(selection, record, 'waiting');
      if (due.size === 0) return;
    }
  }
}

async function selectIn(
  source: LetterSource,
  of: TopicPartition,
  low: number,
  isWanted: (letter: Letter) => boolean,
  sampleSize: number,
): Promise<{ selection: Selection; first: Letter[] }> {
  const states = new States();
  const wanted: number[] = [];
  const others: number[] = [];
  const held: Letter[] = [];
  let end = low;
  for await (const records of readOn(source, of, low)) {
    end = (records.at(-1) as KafkaRecord).offset + 1;
    for (const record of records) {
      if (isMark(record)) {
        states.learn(record);
        continue;
      }
      const letter = toLetter(of, record, 'waiting');
      const isOne = isWanted(letter);
      (isOne ? wanted : others).push(record.offset);
      if (isOne && held.length < sampleSize + SAMPLE_SPARE) held.push(letter);
    }
  }
  const isWaiting = (offset: number) => states.of(offset) === 'waiting';
  const doneBelow = others.find(isWaiting) ?? end;
  const first = held.filter(({ place }) => isWaiting(place.offset)).slice(0, sampleSize);
  return { selection: { ...of, offsets: wanted.filter(isWaiting), doneBelow }, first };
}

/** Letters at the front are often dealt with already, which is known only at the end. */
const SAMPLE_SPARE = 100;
