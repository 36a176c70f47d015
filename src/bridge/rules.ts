/**
 * The ledger's rules as decisions over plain data: no clock, no connection, no state. The bridge asks here before it
 * acts, and so does the model in test/model/, which searches what can follow from each answer. Rule numbers are those
 * of docs/model.md.
 */
import type { FenceStatus } from '../queue/sink.ts';
import type { CommitMetadata } from './metadata.ts';
import type { Range } from './range-set.ts';

/** A set of offsets; a RangeSet is one. */
export interface Offsets {
  has(offset: number): boolean;
  /** The lowest offset at or above `offset` that is not in the set. */
  nextMissing(offset: number): number;
}

/** Rules 1 and 7: not below what was committed, neither by the group nor in this assignment. */
export function startOf(committed: number | undefined, ownCommitted: number, low: number): number {
  return Math.max(committed ?? low, ownCommitted);
}

/** Rule 5: whether records may lie on shards where the present routing does not look. */
export function isRoutedAnew(known: CommitMetadata | undefined, fingerprint: string): known is CommitMetadata {
  return known !== undefined && known.fingerprint !== fingerprint;
}

/** Rule 5: the routing has changed while records of the old one are unfinished. `enqueued`: of every configured shard. */
export function undrained(enqueued: readonly number[], start: number): string | undefined {
  if (enqueued.every((each) => each < start)) return undefined;
  return 'the routing to shards has changed while jobs of the old one are unfinished: drain with the old configuration first';
}

/**
 * Rule 6: the unsettled offsets whose job must go before anything runs. `finished`: what this shard has finished, not
 * only what all shards have; the others may answer later, and the job would be there still.
 */
export function toRemove(unsettled: readonly number[], finished: Offsets): number[] {
  return unsettled.filter((offset) => finished.has(offset));
}

/** Rule 7: the first record to take. `enqueued`: of each shard that the topic can reach. */
export function firstToTake(committed: number, enqueued: readonly number[]): number {
  return Math.max(committed, Math.min(...enqueued) + 1);
}

/** F: finished in every shard. */
export function isFinished(offset: number, shards: readonly Offsets[]): boolean {
  return shards.every((finished) => finished.has(offset));
}

/** Rule 7: not again where it is finished, though other shards may not have answered for it yet. */
export function mayEnqueue(offset: number, target: Offsets): boolean {
  return !target.has(offset);
}

/**
 * Rules 8 and 9: what a batch's sender does when the ledger refuses it. `resend`: rewind to the last acknowledged
 * offset and send again in order, because an earlier batch failed. `reclaim`: drop what is in flight, claim again,
 * rewind to the committed offset. `ignore`: the reply speaks of an earlier claim.
 */
export function afterFence(
  status: FenceStatus,
  { acked, expected, isPresent }: { acked: number; expected: number; isPresent: boolean },
): 'ignore' | 'resend' | 'reclaim' {
  if (!isPresent) return 'ignore';
  return status === 'behind' && acked < expected ? 'resend' : 'reclaim';
}

/** Rule 13: what one checked reply to a look says is finished: [start, end) without the unsettled, dead ones included. */
export function concluded(reply: {
  from: number;
  end: number;
  enqueued: number;
  unsettled: readonly number[];
}): Range & {
  readonly except: readonly number[];
} {
  return { start: reply.from, end: Math.min(reply.end, reply.enqueued + 1), except: reply.unsettled };
}

/** Rule 15: the lowest record that is not finished in every shard, never lower than before. */
export function offsetToCommit(committed: number, shards: readonly Offsets[]): number {
  return Math.max(committed, Math.min(...shards.map((finished) => finished.nextMissing(committed))));
}

/** Rule 15: checked at the moment of sending; the broker checks the member's generation, not what it owns. */
export function mayCommit(epoch: number, presentEpoch: number): boolean {
  return epoch === presentEpoch;
}
