/**
 * The identity of a job that came from Kafka: `k~<topic>~<generation>~<partition>~<offset>`, and for Sidekiq
 * `k~<topic>~<generation>~<partition>~<group>~<offset>`: BullMQ's ids are of one queue, but all Sidekiq queues are one to the
 * ledger, where the jobs that two consumer groups make of one record must not be taken for each other.
 * One record, one id, in every history of Redis; workers read their source from it.
 * Kafka allows letters, digits, `.`, `_` and `-` in topic names, so `~` separates safely, and BullMQ forbids only `:`.
 */

import { createHash } from 'node:crypto';

export interface Source {
  readonly topic: string;
  readonly generation: number;
  readonly partition: number;
  /** Of a Sidekiq job, what stands for its consumer group; see `groupMark`. */
  readonly group: string | undefined;
  readonly offset: bigint;
}

/** Everything of the ids of one partition but the offset. */
export function jobIdPrefix(topic: string, generation: number, partition: number): string {
  return `k~${topic}~${generation}~${partition}~`;
}

/** Stands for a consumer group in ids; a group's name is none. */
export type GroupMark = string & { readonly isMark: true };

/** A group's name may hold anything; in an id stands its hash. */
export function groupMark(group: string): GroupMark {
  return createHash('sha256').update(group).digest('hex').slice(0, 8) as GroupMark;
}

/** The id of the Sidekiq job that the group of this mark makes of a record, by the record's own. */
export function idOfGroup(id: string, mark: GroupMark): string {
  const at = id.lastIndexOf('~') + 1;
  return `${id.slice(0, at)}${mark}~${id.slice(at)}`;
}

/**
 * What of an id stays when an operator has the same record enqueued once more, which raises the generation. A topic made
 * anew has the same places: only with the time of the record do they stand for it.
 */
export function placeIn(id: string): string {
  return id.replace(/^k~([^~]*)~\d+~/, '$1~');
}

const JOB_ID = /^k~([A-Za-z0-9._-]{1,249})~(\d{1,9})~(\d{1,9})~(?:([0-9a-f]{8})~)?(\d{1,19})$/;

/** Whether a job of this id came from Kafka, which `sourceOf` tells more of. */
export function isFromKafka(jobId: string): boolean {
  return jobId.startsWith('k~') && JOB_ID.test(jobId);
}

/** The source of a job, or undefined for a job that was enqueued directly. */
export function sourceOf(jobId: string): Source | undefined {
  const match = JOB_ID.exec(jobId);
  if (match === null) return undefined;
  const [, topic, generation, partition, group, offset] = match as unknown as [
    ...[string, string, string, string, string | undefined, string],
  ];
  return { topic, generation: Number(generation), partition: Number(partition), group, offset: BigInt(offset) };
}
