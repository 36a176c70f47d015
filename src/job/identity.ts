/**
 * The identity of a job that came from Kafka: `k~<topic>~<generation>~<partition>~<offset>`.
 * One record, one id, in every history of Redis; workers read their source from it.
 * Kafka allows letters, digits, `.`, `_` and `-` in topic names, so `~` separates safely, and BullMQ forbids only `:`.
 */

export interface Source {
  readonly topic: string;
  readonly generation: number;
  readonly partition: number;
  readonly offset: bigint;
}

/** Everything of the ids of one partition but the offset. */
export function jobIdPrefix(topic: string, generation: number, partition: number): string {
  return `k~${topic}~${generation}~${partition}~`;
}

const JOB_ID = /^k~([A-Za-z0-9._-]{1,249})~(\d{1,9})~(\d{1,9})~(\d{1,19})$/;

/** The source of a job, or undefined for a job that was enqueued directly. */
export function sourceOf(jobId: string): Source | undefined {
  const match = JOB_ID.exec(jobId);
  if (match === null) return undefined;
  const [, topic, generation, partition, offset] = match as unknown as [string, string, string, string, string];
  return { topic, generation: Number(generation), partition: Number(partition), offset: BigInt(offset) };
}
