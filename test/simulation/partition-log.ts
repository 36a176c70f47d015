/** The log of one partition: what stands at each offset, and whether that is dealt with. Grows, and never shrinks. */
import type { KafkaRecord } from '../../src/kafka/consumer.ts';
import type { Chance } from './chance.ts';

export const TOPIC = 't';

/**
 * `job`: for a queue. `letter`: cannot become a job. `late`: for a delay topic. `foreign`: another group's.
 * `mark`: of a transaction, or taken back by one; the client passes over it.
 */
export type Kind = 'job' | 'letter' | 'late' | 'foreign' | 'mark';

export interface Entry {
  readonly offset: number;
  readonly kind: Kind;
  /** Name of the Redis that its job belongs to. */
  readonly shard: string;
  readonly timestamp: number;
  /** Its job was done, its letter or its delay is in Kafka, or there was nothing to be done. */
  isThrough: boolean;
}

export interface Contents {
  readonly shards: readonly string[];
  /** So many offsets in a row may be taken back by a transaction; 0: none are. */
  readonly longestSpan: number;
}

const SPAN_SHARE = 0.02;
const LONGEST_GAP = 5;
const LEAST_BYTES = 80_000;
/** Records have a third of what a fetch holds or less, so that it is cut several times. */
const PLAIN = Buffer.alloc(2 * LEAST_BYTES);

export class PartitionLog {
  /** In order. Compaction has left gaps between them. */
  readonly entries: Entry[] = [];
  readonly #byOffset = new Map<number, Entry>();
  #end = 0;

  /** Offset that the next record will get. */
  get end(): number {
    return this.#end;
  }

  at(offset: number): Entry | undefined {
    return this.#byOffset.get(offset);
  }

  /** Index of the first entry that is not below the offset. */
  indexOf(offset: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.entries[middle] as Entry).offset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  grow(count: number, chance: Chance, contents: Contents): void {
    for (let i = 0; i < count; i++) {
      if (contents.longestSpan > 0 && chance.happens(SPAN_SHARE)) this.#addSpan(1 + chance.below(contents.longestSpan));
      this.#addOne(chance, contents);
    }
  }

  #addSpan(length: number): void {
    for (let i = 0; i < length; i++) this.#add('mark', '');
  }

  #addOne(chance: Chance, { shards }: Contents): void {
    const kind = chance.oneOf(KINDS);
    if (kind === 'gap') this.#end += 1 + chance.below(LONGEST_GAP);
    else this.#add(kind, chance.oneOf(shards));
  }

  #add(kind: Kind, shard: string): void {
    const isThrough = kind === 'foreign' || kind === 'mark';
    const entry = { offset: this.#end++, kind, shard, timestamp: Date.now(), isThrough };
    this.entries.push(entry);
    this.#byOffset.set(entry.offset, entry);
  }
}

const KINDS: readonly (Kind | 'gap')[] = [
  ...Array<Kind>(80).fill('job'),
  ...Array<Kind>(6).fill('letter'),
  ...Array<Kind>(5).fill('late'),
  ...Array<Kind>(3).fill('foreign'),
  ...Array<Kind>(3).fill('mark'),
  ...Array<'gap'>(3).fill('gap'),
];

/** What the bridge decodes is in the headers; the value is there for its size. */
export function recordOf({ offset, kind, shard, timestamp }: Entry): KafkaRecord {
  const bytes = kind === 'job' ? LEAST_BYTES + ((offset * 7_919) % LEAST_BYTES) : 1_000;
  return { offset, key: null, value: PLAIN.subarray(0, bytes), timestamp, headers: { kind, shard } };
}
