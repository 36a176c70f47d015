/** Where letters go when they are replayed, and why some can go nowhere. */
import { HISTORY, replayHeaders } from '../../job/letter.ts';
import { type AddressedRecord, partitionKey } from '../consumer.ts';
import type { Letter } from './letter.ts';
import type { LetterSource } from './survey.ts';

/** Beyond this, a record that dies again and again is a loop. */
const MOST_REPLAYS = 3;

export interface Sending {
  /** Topic to produce to, instead of each record's own. */
  readonly to?: string | undefined;
  /** Replays also what was replayed MOST_REPLAYS times. */
  readonly isForced: boolean;
}

export class Destinations {
  readonly #source: LetterSource;
  readonly #sending: Sending;
  #partitions: ReadonlyMap<string, unknown> = new Map();
  readonly #missing = new Set<string>();

  constructor(source: LetterSource, sending: Sending) {
    this.#source = source;
    this.#sending = sending;
  }

  /** Why a letter cannot be replayed, or undefined: then it can be addressed. */
  async refusalOf(letter: Letter): Promise<string | undefined> {
    const { to, isForced } = this.#sending;
    const { origin, record, timesReplayed } = letter;
    if (origin === undefined && to === undefined) return 'it does not say which topic it came from; name one with --to';
    if (record.headers[HISTORY.rebuilt] === 'data') {
      return "its record had left the log, and the job's data does not fit its message type";
    }
    if (timesReplayed >= MOST_REPLAYS && !isForced) {
      return `it was replayed ${timesReplayed} times and died again; --force replays it once more`;
    }
    const topic = this.#topicOf(letter);
    return (await this.#isThere(topic)) ? undefined : `there is no topic ${topic}`;
  }

  /** To the partition that it came from, whoever chose that, so that it stays with the other records of its key. */
  addressed(letter: Letter): AddressedRecord {
    const { key, value, headers } = letter.record;
    const own = this.#sending.to === undefined ? letter.origin : undefined;
    const isThere = own !== undefined && this.#partitions.has(partitionKey(own));
    return {
      topic: this.#topicOf(letter),
      key,
      value,
      headers: replayHeaders(headers),
      ...(isThere && { partition: own.partition }),
    };
  }

  #topicOf({ origin }: Letter): string {
    return this.#sending.to ?? origin?.topic ?? '';
  }

  /** Each topic is asked for once. */
  async #isThere(topic: string): Promise<boolean> {
    if (this.#partitions.has(partitionKey({ topic, partition: 0 }))) return true;
    if (this.#missing.has(topic)) return false;
    const { admin } = this.#source;
    if ((await admin.topics()).includes(topic)) {
      this.#partitions = new Map([...this.#partitions, ...(await admin.bounds([topic]))]);
      return true;
    }
    this.#missing.add(topic);
    return false;
  }
}
