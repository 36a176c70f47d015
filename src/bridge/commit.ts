/**
 * Stage 7: commits the lowest record whose job is not finished, never lower than before, with the group's
 * generation. A refused commit belongs to an assignment that is over; one that no broker took is tried next time.
 */
import { isSluiceError, messageOf } from '../errors.ts';
import type { GroupConsumer, OffsetCommit } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { HeldPartition } from './held-partition.ts';
import { encodeMetadata } from './metadata.ts';
import { mayCommit } from './rules.ts';

export interface CommitContext {
  readonly consumer: GroupConsumer;
  readonly fingerprint: (topic: string) => string;
  readonly log: Log;
}

/** Commits what has moved among partitions of one epoch. */
export async function commitSettled(
  epoch: number,
  held: Iterable<HeldPartition>,
  context: CommitContext,
): Promise<void> {
  const moved = [...held].filter(
    (each) => each.isReady && mayCommit(each.epoch, epoch) && each.settled > each.committed,
  );
  if (moved.length === 0) return;
  const offsets = moved.map((each) => offsetOf(each, context));
  try {
    await context.consumer.commit(epoch, offsets);
    for (const [i, each] of moved.entries()) each.committed = (offsets[i] as OffsetCommit).offset;
  } catch (error) {
    if (isSluiceError(error, 'DISOWNED')) return;
    context.log.warn({ reason: messageOf(error) }, 'offsets not committed; trying again');
  }
}

function offsetOf(
  { topic, partition, generation, settled }: HeldPartition,
  { fingerprint }: CommitContext,
): OffsetCommit {
  return {
    topic,
    partition,
    offset: settled,
    metadata: encodeMetadata({ generation, fingerprint: fingerprint(topic) }),
  };
}
