/** What of a topic waits in its delay topics. Reads the bridges' notes there, which outlive Redis and the bridges. */
import { readState } from '../../bridge/delay-state.ts';
import { delayStateTopic, delayTopic, LATE } from '../../job/late.ts';
import type { Bounds, RecordReader, TopicPartition } from '../../kafka/consumer.ts';

export interface LateStatus {
  readonly waiting: number;
  /** Of those that move on next, the earliest to be due, in milliseconds since the epoch. */
  readonly nextDueAt: number | undefined;
  /** Offsets of the topic itself that went to records taken out of it, and to the marks of transactions. */
  readonly extraOffsets: number;
}

export const NONE_LATE: LateStatus = { waiting: 0, nextDueAt: undefined, extraOffsets: 0 };

/** `bounds`: of the partitions of the topic's delay-state topic, each with its name. */
export async function lateStatus(
  reader: RecordReader,
  group: string,
  topic: string,
  bounds: readonly [key: string, Bounds][],
): Promise<LateStatus> {
  const each = bounds.map(([key, of]) =>
    ofPartition(reader, group, { topic, partition: Number(key.slice(key.lastIndexOf('/') + 1)) }, of),
  );
  return (await Promise.all(each)).reduce(together, NONE_LATE);
}

async function ofPartition(
  reader: RecordReader,
  group: string,
  { topic, partition }: TopicPartition,
  bounds: Bounds,
): Promise<LateStatus> {
  const state = await readState({ topic: delayStateTopic(topic, group), partition }, bounds, reader);
  if (state === undefined) return NONE_LATE;
  const waiting = Object.entries(state.waiting).filter(([, { count }]) => count > 0);
  const heads = await Promise.all(
    waiting.map(([name, { next }]) => reader.read(delayTopic(topic, group, name), partition, next, { maxRecords: 1 })),
  );
  return {
    waiting: waiting.reduce((sum, [, { count }]) => sum + count, 0),
    nextDueAt: earliest(heads.flat().map(({ headers }) => Number(headers[LATE.due] ?? 0))),
    extraOffsets: state.taken + state.returns,
  };
}

function together(one: LateStatus, other: LateStatus): LateStatus {
  return {
    waiting: one.waiting + other.waiting,
    nextDueAt: earliest([one.nextDueAt, other.nextDueAt]),
    extraOffsets: one.extraOffsets + other.extraOffsets,
  };
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
