/**
 * What is known about the late records of one partition: how far its own log was gone through for them, and how far each
 * delay topic was moved on. It is the last record of the partition's delay-state topic, written in the transaction that
 * writes the records themselves: the two are never apart. A group's offsets would not do: Kafka forgets those of a
 * group without members after a week, and KafkaJS cannot ask for stable ones.
 */
import type { Bounds, KafkaRecord, OutgoingRecord, RecordReader, TopicPartition } from '../kafka/consumer.ts';

export interface Waiting {
  /** The next record of the delay topic to move on. */
  readonly next: number;
  /** How many wait there. */
  readonly count: number;
}

export interface DelayState {
  /** The one of the job ids; an operator who sets offsets back raises it, and late records are taken again. */
  readonly generation: number;
  /** Every late record of the log below this offset was taken out of it. */
  readonly takenTo: number;
  /** Timestamp of the last one: another log under the same name has another record there. */
  readonly takenAt: number;
  /** By the bucket's name. */
  readonly waiting: Readonly<Record<string, Waiting>>;
  /** Late records that were taken out, ever, and transactions that brought some back: what they add to the log's offsets. */
  readonly taken: number;
  readonly returns: number;
}

export const NOTHING_TAKEN: DelayState = { generation: 0, takenTo: 0, takenAt: 0, waiting: {}, taken: 0, returns: 0 };

const KEY = 'state';
const FIRST_LOOK_BACK = 4;

export function stateRecord(partition: number, state: DelayState): OutgoingRecord {
  return { key: KEY, value: Buffer.from(JSON.stringify({ version: 1, ...state })), partition };
}

/** The last state of the log; undefined for a log without one. */
export async function readState(
  of: TopicPartition,
  { low, high }: Bounds,
  reader: RecordReader,
): Promise<DelayState | undefined> {
  for (let back = FIRST_LOOK_BACK; high > low; back *= 8) {
    const from = Math.max(low, high - back);
    const last = await lastRecord(reader, of, from);
    if (last !== undefined) return decodeState(last);
    if (from === low) break;
  }
  return undefined;
}

async function lastRecord(
  reader: RecordReader,
  { topic, partition }: TopicPartition,
  from: number,
): Promise<KafkaRecord | undefined> {
  let last: KafkaRecord | undefined;
  for (let next = from; ; next = (last?.offset ?? next) + 1) {
    const records = await reader.read(topic, partition, next);
    if (records.length === 0) return last;
    last = records.at(-1);
  }
}

function decodeState({ value }: KafkaRecord): DelayState {
  const { generation, takenTo, takenAt, waiting, taken, returns } = JSON.parse(String(value)) as DelayState;
  return { generation, takenTo, takenAt, waiting, taken, returns };
}
