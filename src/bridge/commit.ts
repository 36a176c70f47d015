/**
 * Stage 7: commits the lowest record whose job is not finished, never lower than before, with what is finished above
 * it and the group's generation. A refused commit belongs to an assignment that is over; one that no broker took is
 * tried next time.
 */
import { isSluiceError, messageOf } from '../errors.ts';
import { type Committed, type GroupConsumer, type OffsetCommit, partitionKey } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { HeldPartition } from './held-partition.ts';
import { encodeMetadata } from './metadata.ts';
import { mayCommit } from './rules.ts';

export interface CommitContext {
  readonly consumer: GroupConsumer;
  readonly fingerprint: (topic: string) => string;
  /** What the group has committed at present, by `topic/partition`. */
  readonly present: () => Promise<ReadonlyMap<string, Committed>>;
  /** What was committed in this assignment is not there any more. */
  readonly onVanished: (held: HeldPartition) => void;
  readonly log: Log;
}

/** Commits what has moved, or was finished further up, among partitions of one epoch. */
export async function commitSettled(
  epoch: number,
  held: Iterable<HeldPartition>,
  context: CommitContext,
): Promise<void> {
  const all = [...held]
    .filter((each) => each.isReady && mayCommit(each.epoch, epoch))
    .flatMap((each) => due(each, context));
  if (all.length === 0) return;
  try {
    const moved = await withoutVanished(all, context);
    if (moved.length === 0) return;
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

/**
 * Kafka forgets a group's offsets with their topic. A topic that was made anew, and has grown since, looks like the old one
 * in everything else: to commit on would hide that its first records were never read.
 */
async function withoutVanished(all: readonly Due[], { present, onVanished }: CommitContext): Promise<Due[]> {
  const committed = await present();
  const [kept, vanished] = [[] as Due[], [] as Due[]];
  for (const each of all) {
    const isThere = !each.held.hasCommitted || committed.has(partitionKey(each.held));
    (isThere ? kept : vanished).push(each);
  }
  for (const { held } of vanished) onVanished(held);
  return kept;
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
