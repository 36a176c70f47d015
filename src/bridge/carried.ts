/**
 * Carried records: those of unfinished jobs as they were, kept beside their log under the offsets that they had, until the
 * jobs are finished. Their key there is their identity; their own key rides in a header.
 */
import { SluiceError } from '../errors.ts';
import { carriedTopic } from '../job/late.ts';
import { type KafkaRecord, type OutgoingRecord, partitionKey, type TopicPartition } from '../kafka/consumer.ts';
import { type LetterSource, readOn } from '../kafka/letters/survey.ts';
import { type Lane, NO_LOG } from './lane.ts';

export interface CarriedRecord {
  /** Of the job id. */
  readonly generation: number;
  /** With the offset that it had in its topic. */
  readonly record: KafkaRecord;
}

const KEY = 'sluice.key';
const IDENTITY = /^(\d{1,9})~(\d{1,15})$/;

/** Resolves when Kafka keeps them. */
export function carry(lane: Lane, records: readonly CarriedRecord[]): Promise<void> {
  return write(
    lane,
    records.map((each) => asCarried(each, lane.of.partition)),
  );
}

/** Resolves when Kafka knows that the jobs are finished. */
export function release(lane: Lane, generation: number, offsets: readonly number[]): Promise<void> {
  return write(
    lane,
    offsets.map((offset) => asFinished(generation, offset, lane.of.partition)),
  );
}

/** What is carried and not finished. From here on no bridge that had the lane before can change it. */
export function carriedBy(lane: Lane): Promise<CarriedRecord[]> {
  return lane.inTurnAnew(async () => {
    const place = { topic: topicOf(lane), partition: lane.of.partition };
    await lane.options.ensure(place.topic, lane.of);
    return unfinishedOf(wholeLog(lane.options, place));
  });
}

/**
 * A fetch may end too early: a leader that has just begun answers it as far as it knows its followers to be. Where the log
 * ends it says only once it knows. Throws UNREACHABLE while the one is short of the other: what a look does not
 * find is taken for finished.
 */
export async function* wholeLog(source: LetterSource, place: TopicPartition): AsyncGenerator<readonly KafkaRecord[]> {
  const { topic, partition } = place;
  const { low, high } = (await source.admin.bounds([topic])).get(partitionKey(place)) ?? NO_LOG;
  let next = low;
  for await (const records of readOn(source, place, low)) {
    yield records;
    next = (records.at(-1) as KafkaRecord).offset + 1;
  }
  const end = next < high ? (await source.reader.next(topic, partition, next)).offset : next;
  if (end < high) throw new SluiceError('UNREACHABLE', `${partitionKey(place)} is read to ${end}, and ends at ${high}`);
}

function write(lane: Lane, records: readonly OutgoingRecord[]): Promise<void> {
  const topic = topicOf(lane);
  return lane.inTurn(() => lane.write(records.map((record) => ({ ...record, topic }))));
}

function topicOf({ of, options }: Lane): string {
  return carriedTopic(of.topic, options.group);
}

export function asCarried({ generation, record }: CarriedRecord, partition: number): OutgoingRecord {
  const { offset, key, value, headers, timestamp } = record;
  const own = key === null ? {} : { [KEY]: key.toString('base64') };
  return { key: identity(generation, offset), value, headers: { ...headers, ...own }, timestamp, partition };
}

/** Says that the job is finished, and lets Kafka forget the record. */
export function asFinished(generation: number, offset: number, partition: number): OutgoingRecord {
  return { key: identity(generation, offset), value: null, partition };
}

/** Those of a log that are not finished, in order of their offsets. Of a long log only these are in memory. */
export async function unfinishedOf(log: AsyncIterable<readonly KafkaRecord[]>): Promise<CarriedRecord[]> {
  const carried = new Map<string, CarriedRecord>();
  for await (const records of log) for (const record of records) learn(carried, record);
  return [...carried.values()].sort((a, b) => a.record.offset - b.record.offset);
}

function learn(carried: Map<string, CarriedRecord>, record: KafkaRecord): void {
  const key = String(record.key);
  const [, generation, offset] = IDENTITY.exec(key) ?? [];
  if (generation === undefined || offset === undefined) return;
  if (record.value === null) carried.delete(key);
  else carried.set(key, { generation: Number(generation), record: asItWas(record, Number(offset)) });
}

function asItWas({ headers, ...record }: KafkaRecord, offset: number): KafkaRecord {
  const { [KEY]: key, ...own } = headers;
  return { ...record, offset, headers: own, key: key === undefined ? null : Buffer.from(key, 'base64') };
}

function identity(generation: number, offset: number): string {
  return `${generation}~${offset}`;
}
