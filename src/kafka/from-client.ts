/** KafkaJS's forms of records and partitions in ours, and back. On the path of every record: no more than is needed. */
import type { KafkaMessage, Message, OffsetsByTopicPartition } from 'kafkajs';
import type { KafkaRecord, OffsetCommit, OutgoingRecord, TopicPartition } from './consumer.ts';

const NO_HEADERS = Object.freeze({});

export function toRecord({ offset, key, value, timestamp, headers }: KafkaMessage): KafkaRecord {
  return { offset: Number(offset), key, value, timestamp: Number(timestamp), headers: headersOf(headers) };
}

type Headers = Record<string, Buffer | string | null | undefined | (Buffer | string | null)[]>;

/** A header may be without a value, whatever KafkaJS's types say. */
function headersOf(headers: Headers | undefined): Readonly<Record<string, string>> {
  let texts: Record<string, string> | undefined;
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    texts ??= {};
    texts[name] = last?.toString() ?? '';
  }
  return texts ?? NO_HEADERS;
}

export function toMessage({ key, value, headers, partition, timestamp }: OutgoingRecord): Message {
  return {
    key,
    value,
    ...(headers !== undefined && { headers: { ...headers } }),
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp: String(timestamp) }),
  };
}

export function toPartitions(assignment: Readonly<Record<string, readonly number[]>>): TopicPartition[] {
  return Object.entries(assignment).flatMap(([topic, numbers]) => numbers.map((partition) => ({ topic, partition })));
}

export function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  return [...topics].map(([topic, of]) => ({ topic, partitions: of.map(({ partition }) => partition) }));
}

export function toClientOffsets(offsets: readonly OffsetCommit[]): OffsetsByTopicPartition {
  const topics = Map.groupBy(offsets, ({ topic }) => topic);
  return {
    topics: [...topics].map(([topic, of]) => ({
      topic,
      partitions: of.map(({ partition, offset, metadata }) => ({ partition, offset: String(offset), metadata })),
    })),
  };
}
