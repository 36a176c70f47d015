/**
 * Stage 7: commits the lowest record whose job is not finished, never lower than before, with what is finished above
 * it and the group's generation. A refused commit belongs to an assignment that is over; one that no broker took is
 * tried next time.
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

/** Commits what has moved, or was finished further up, among partitions of one epoch. */
export async function commitSettled(
  epoch: number,
  held: Iterable<HeldPartition>,
  context: CommitContext,
): Promise<void> {
  const moved = [...held]
    .filter((each) => each.isReady && mayCommit(each.epoch, epoch))
    .flatMap((each) => due(each, context));
  if (moved.length === 0) return;
  try {
    await context.consumer.commit(
      epoch,
      moved.map(({ commit }) => commit),
    );
    for (const { held: each, commit, isAsked } of moved) {
      each.wasCommitted(commit.offset, commit.metadata);
      if (isAsked) each.confirmation = 'given';
    }
  } catch (error) {
    if (isSluiceError(error, 'DISOWNED')) return;
    context.log.warn({ reason: messageOf(error) }, 'offsets not committed; trying again');
  }
}

interface Due {
  readonly held: HeldPartition;
  readonly commit: OffsetCommit;
  /** Somebody wants to know that the partition is still this bridge's, whether anything has moved or not. */
  readonly isAsked: boolean;
}

function due(held: HeldPartition, { fingerprint }: CommitContext): Due[] {
  const { topic, partition, settled: offset } = held;
  const metadata = encodeMetadata(offset, { ...held.progress(offset), fingerprint: fingerprint(topic) });
  const isAsked = held.confirmation === 'asked';
  if (!isAsked && held.isCommitted(offset, metadata)) return [];
  return [{ held, commit: { topic, partition, offset, metadata }, isAsked }];
}
