/**
 * A partition in this bridge's hands, from its assignment to its revocation: its claims, what it has enqueued, and
 * what of that is finished. Finished offsets only grow while it is held, also over a loss of Redis.
 */
import type { TopicPartition } from '../kafka/consumer.ts';
import type { Claim } from '../queue/sink.ts';
import { RangeSet } from './range-set.ts';
import { firstToTake, isFinished, offsetToCommit } from './rules.ts';
import type { Shard } from './shard.ts';

/** The partition's ledger in one shard. */
export interface HeldShard {
  readonly shard: Shard;
  claim: Claim;
  /** Last offset that the shard has acknowledged. */
  acked: number;
  /** Last offset that was sent; the next batch expects the ledger to have reached it. */
  sent: number;
  /** Offsets with nothing unsettled in this shard. */
  readonly finished: RangeSet;
  /** Where the look that visits everything goes on. */
  cursor: number;
}

/**
 * `claiming`: between assignment and the accepted commit. `ready`: in work. `halted`: waits for an operator.
 * `lost`: revoked; nothing may be done in its name.
 */
export type HeldState = 'claiming' | 'ready' | 'halted' | 'lost';

export class HeldPartition implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  state: HeldState = 'claiming';
  /** Why an operator is needed. */
  haltReason = '';
  generation = 0;
  shards: readonly HeldShard[] = [];
  /** The next record to commit. */
  committed = 0;
  /** The next record to take. */
  position = 0;
  /** Whether the consumer fetches it. */
  isFlowing = false;
  /** Whether a batch of it is being handled. */
  isBusy = false;
  /** Not to be fed before this time, in milliseconds since the epoch. */
  heldBackUntil = 0;
  /** Letters up to this offset are written. */
  letteredUpTo = -1;
  /** Dead jobs whose letter is on its way. */
  readonly burying = new Set<number>();

  constructor({ topic, partition }: TopicPartition, epoch: number) {
    this.topic = topic;
    this.partition = partition;
    this.epoch = epoch;
  }

  get isReady(): boolean {
    return this.state === 'ready';
  }

  get isLost(): boolean {
    return this.state === 'lost';
  }

  /** The claims hold: work starts at the lowest record that is neither finished nor enqueued everywhere. */
  begin(shards: readonly { shard: Shard; claim: Claim }[], committed: number, generation: number): void {
    const known = new Map(this.shards.map((held) => [held.shard, held.finished]));
    this.shards = shards.map(({ shard, claim }) => {
      const finished = known.get(shard) ?? new RangeSet();
      finished.add(0, committed);
      return { shard, claim, acked: claim.enqueued, sent: claim.enqueued, finished, cursor: committed };
    });
    this.committed = committed;
    this.generation = generation;
    this.position = firstToTake(committed, [this.acked]);
    this.state = 'ready';
  }

  /** Last offset that every shard has acknowledged. */
  get acked(): number {
    return Math.min(...this.shards.map(({ acked }) => acked));
  }

  isFinished(offset: number): boolean {
    return isFinished(offset, this.#finished);
  }

  /** The offset to commit: the lowest record whose job is not finished. */
  get settled(): number {
    return offsetToCommit(this.committed, this.#finished);
  }

  get #finished(): readonly RangeSet[] {
    return this.shards.map(({ finished }) => finished);
  }

  /** Takes back what was sent and not acknowledged: it is read again from Kafka, in order. */
  rewindToAcked(): void {
    for (const held of this.shards) held.sent = held.acked;
    this.position = firstToTake(this.committed, [this.acked]);
  }
}
