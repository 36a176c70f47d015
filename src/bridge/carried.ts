/**
 * The form of a carried record: the record of an unfinished job as it was, kept beside its log under the offset that it
 * had, until the job is finished. Its key there is its identity; its own key rides in a header.
 */
import type { KafkaRecord, OutgoingRecord } from '../kafka/consumer.ts';

export interface CarriedRecord {
  /** Of the job id. */
  readonly generation: number;
  /** With the offset that it had in its topic. */
  readonly record: KafkaRecord;
}

const KEY = 'sluice.key';
const IDENTITY = /^(\d{1,9})~(\d{1,15})$/;

export function asCarried({ generation, record }: CarriedRecord, partition: number): OutgoingRecord {
  const { offset, key, value, headers, timestamp } = record;
  const own = key === null ? {} : { [KEY]: key.toString('base64') };
  return { key: identity(generation, offset), value, headers: { ...headers, ...own }, timestamp, partition };
}

/** Says that the job is finished, and lets Kafka forget the record. */
export function asFinished(generation: number, offset: number, partition: number): OutgoingRecord {
  return { key: identity(generation, offset), value: null, partition };
}

/** Those of a log that are not finished, in order of their offsets. */
export function unfinishedOf(log: Iterable<KafkaRecord>): CarriedRecord[] {
  const carried = new Map<string, CarriedRecord>();
  for (const record of log) {
    const key = String(record.key);
    const [, generation, offset] = IDENTITY.exec(key) ?? [];
    if (generation === undefined || offset === undefined) continue;
    if (record.value === null) carried.delete(key);
    else carried.set(key, { generation: Number(generation), record: asItWas(record, Number(offset)) });
  }
  return [...carried.values()].sort((a, b) => a.record.offset - b.record.offset);
}

function asItWas({ headers, ...record }: KafkaRecord, offset: number): KafkaRecord {
  const { [KEY]: key, ...own } = headers;
  return { ...record, offset, headers: own, key: key === undefined ? null : Buffer.from(key, 'base64') };
}

function identity(generation: number, offset: number): string {
  return `${generation}~${offset}`;
}
