/**
 * Finds the records of dead jobs again, in the log that they came from. Many are asked for at once when a worker breaks:
 * those of one partition wait for each other and share fetches. A record that has left the log is undefined; when
 * Kafka is away, all who wait are told so.
 */
import { isSluiceError } from '../errors.ts';
import type { TopicPartition } from '../kafka/consumer.ts';
import { type KafkaAdmin, type KafkaRecord, partitionKey, type RecordReader } from '../kafka/consumer.ts';

type Found = PromiseWithResolvers<KafkaRecord | undefined>;

interface Search {
  readonly of: TopicPartition;
  readonly wanted: Map<number, Found>;
}

export class Origins {
  readonly #reader: RecordReader;
  readonly #admin: Pick<KafkaAdmin, 'bounds'>;
  readonly #searches = new Map<string, Search>();

  constructor(reader: RecordReader, admin: Pick<KafkaAdmin, 'bounds'>) {
    this.#reader = reader;
    this.#admin = admin;
  }

  find(of: TopicPartition, offset: number): Promise<KafkaRecord | undefined> {
    const key = partitionKey(of);
    const running = this.#searches.get(key);
    const search = running ?? { of, wanted: new Map<number, Found>() };
    const found = search.wanted.get(offset) ?? Promise.withResolvers<KafkaRecord | undefined>();
    search.wanted.set(offset, found);
    if (running === undefined) {
      this.#searches.set(key, search);
      // Whoever asks in the same turn comes along.
      queueMicrotask(() => void this.#run(key, search));
    }
    return found.promise;
  }

  async #run(key: string, { of, wanted }: Search): Promise<void> {
    try {
      while (wanted.size > 0) await this.#step(of, wanted);
    } catch (error) {
      for (const found of wanted.values()) found.reject(error);
    } finally {
      this.#searches.delete(key);
    }
  }

  /** From the lowest on: a fetch answers for everything up to its last record. */
  async #step(of: TopicPartition, wanted: Map<number, Found>): Promise<void> {
    const lowest = Math.min(...wanted.keys());
    const answer = (offset: number, record: KafkaRecord | undefined) => {
      wanted.get(offset)?.resolve(record);
      wanted.delete(offset);
    };
    try {
      const records = await this.#reader.read(of.topic, of.partition, lowest);
      const last = records.at(-1)?.offset ?? Number.POSITIVE_INFINITY;
      for (const record of records) answer(record.offset, record);
      for (const offset of [...wanted.keys()]) if (offset >= lowest && offset <= last) answer(offset, undefined);
    } catch (error) {
      if (!isSluiceError(error, 'OUT_OF_RANGE')) throw error;
      const bounds = (await this.#admin.bounds([of.topic])).get(partitionKey(of));
      answer(lowest, undefined);
      for (const offset of [...wanted.keys()]) if (offset < (bounds?.low ?? 0)) answer(offset, undefined);
    }
  }
}
