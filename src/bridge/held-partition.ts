/**
 * A partition in this bridge's hands, from its assignment to its revocation: its claims, what it has enqueued, and
 * what of that is finished. Finished offsets only grow while it is held, also over a loss of Redis.
 */
import type { TopicPartition } from '../kafka/consumer.ts';
import type { Claim, DeadJob } from '../queue/sink.ts';
import { intersect, type Range, RangeSet } from './range-set.ts';
import type { Recovery } from './recovery.ts';
import { isFinished, offsetToCommit } from './rules.ts';
import { Sends } from './sends.ts';
import type { Outlet } from './shard.ts';

/** An outlet with the claim on the partition's ledger there. */
export interface ClaimedOutlet extends Outlet {
  readonly claim: Claim;
}

/** The partition's ledger in one shard. */
export interface HeldShard extends Outlet {
  claim: Claim;
  /** Last offset that the shard has acknowledged. */
  acked: number;
  /** Last offset that was sent; the next batch expects the ledger to have reached it. */
  sent: number;
  /** Offsets with nothing unsettled in this shard. */
  readonly finished: RangeSet;
  /** Where the look at every job goes on. */
  looked: number;
  /** Where the count of everything goes on. */
  counted: number;
}

/** `tryAt`: when its letter is tried next, 0 while it is on its way. */
interface Dying {
  readonly job: DeadJob;
  readonly of: HeldShard;
  readonly tryAt: number;
}

/** What Kafka and earlier claims of the same assignment know. */
export interface KnownProgress {
  readonly generation: number;
  readonly reached: number;
  readonly finished: readonly Range[];
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
  /** Whether the log has it. */
  isHaltTold = false;
  /** Whether a claim of it is under way. */
  isInClaim = false;
  /** Why the last claim failed, as it was logged. */
  claimTrouble = '';
  generation = 0;
  shards: readonly HeldShard[] = [];
  /** Of the present claim. */
  sends = new Sends();
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
  /** Under way while what a loss of Redis took is enqueued again. */
  recovery: Recovery | undefined;
  /** Offsets that the commit may pass although their jobs are not finished: Kafka keeps their records elsewhere. */
  carried = new Set<number>();
  /** Whether Kafka has accepted a commit that was sent after one was asked for. */
  confirmation: 'none' | 'asked' | 'given' = 'none';
  /** Until Kafka may delete the oldest unfinished record. */
  retentionLeftMs = Number.POSITIVE_INFINITY;
  isRetentionShort = false;
  /** Dead jobs that have no letter yet, by offset. */
  readonly dead = new Map<number, Dying>();
  #reached = -1;
  #committedText = '';

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

  /** Takes over what the claims and Kafka say; nothing may be done with it before `begin`. */
  adopt(shards: readonly ClaimedOutlet[], committed: number, known: KnownProgress): void {
    this.dead.clear();
    this.sends = new Sends();
    const before = new Map(this.shards.map((held) => [held.shard, held.finished]));
    this.shards = shards.map(({ shard, sink, claim }) => {
      const finished = before.get(shard) ?? new RangeSet(known.finished);
      finished.addExcept(0, committed, [...this.carried]);
      return {
        shard,
        sink,
        claim,
        acked: claim.enqueued,
        sent: claim.enqueued,
        finished,
        looked: 0,
        counted: 0,
      };
    });
    this.committed = committed;
    this.generation = known.generation;
    this.#reached = Math.max(this.#reached, known.reached, this.acked);
  }

  /** The claims hold: work starts at the lowest record that is neither finished nor enqueued everywhere. */
  begin(): void {
    this.position = this.#next;
    this.state = 'ready';
  }

  /** The last offset that every shard was ever known to hold; a Redis below it has lost something. */
  get reached(): number {
    this.#reached = Math.max(this.#reached, this.acked);
    return this.#reached;
  }

  /** Last offset that every shard has acknowledged. */
  get acked(): number {
    return Math.min(...this.shards.map(({ acked }) => acked));
  }

  /** Last offset that was sent to every shard. */
  get sent(): number {
    return Math.min(...this.shards.map(({ sent }) => sent));
  }

  isFinished(offset: number): boolean {
    return isFinished(
      offset,
      this.shards.map(({ finished }) => finished),
    );
  }

  /** The offset to commit: the lowest record whose job is not finished, those aside that are carried. */
  get settled(): number {
    const finished = this.shards.map((each) => each.finished);
    let settled = offsetToCommit(this.committed, finished);
    while (this.carried.has(settled)) settled = offsetToCommit(settled + 1, finished);
    return settled;
  }

  /** What is to be known beside the committed offset `offset`. */
  progress(offset: number): KnownProgress {
    const [first, ...others] = this.shards.map(({ finished }) => finished.rangesAbove(offset));
    const finished = others.reduce((common, ranges) => intersect(common, ranges), first ?? []);
    return { generation: this.generation, reached: this.reached, finished };
  }

  /** Whether Kafka has taken a commit in this assignment. */
  get hasCommitted(): boolean {
    return this.#committedText !== '';
  }

  isCommitted(offset: number, metadata: string): boolean {
    return offset === this.committed && metadata === this.#committedText;
  }

  wasCommitted(offset: number, metadata: string): void {
    this.committed = offset;
    this.#committedText = metadata;
  }

  /** From `position` to `end` the log holds no record. Nothing may be on its way. */
  passGap(end: number): void {
    for (const { finished } of this.shards) finished.add(this.position, end);
    this.position = end;
  }

  /** What is on its way counts as taken until it is known not to be. */
  passSent(): void {
    this.position = Math.max(this.#next, this.sent + 1);
  }

  /** Takes back what was sent and not acknowledged: it is read again from Kafka, in order. */
  rewindToAcked(): void {
    for (const held of this.shards) held.sent = held.acked;
    this.position = this.#next;
  }

  /** The lowest carried offset whose unfinished job Redis has lost. */
  get lowestLost(): number | undefined {
    const { acked } = this;
    let lowest: number | undefined;
    for (const offset of this.carried) {
      if (offset <= acked || offset > (lowest ?? offset) || this.isFinished(offset)) continue;
      lowest = offset;
    }
    return lowest;
  }

  /** Below the committed offset: what Redis has lost of the carried records comes first. */
  get #next(): number {
    return Math.max(this.acked + 1, Math.min(this.committed, this.lowestLost ?? this.committed));
  }
}
