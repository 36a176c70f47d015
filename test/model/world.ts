/** What one search is about: the log, the shards, the workers, what may go wrong, and which rules are broken. */
import { RangeSet } from '../../src/bridge/range-set.ts';
import type { Budget, State } from './state.ts';

/** Each can be switched off; the number is the rule's. */
export const RULES = {
  haltWhenForgotten: '2: where Redis remembers the partition and Kafka does not, an operator decides',
  randomToken: '3: a claim writes a token that was never used',
  commitBeforeUse: '4: a claim is used only when Kafka has accepted a commit after it',
  reconcile: '6: jobs that Kafka has as finished are removed before anything else',
  reconcileThere: '6: as are those that are finished in their own shard, and not in all yet',
  dropFinished: '7: offsets that are finished are not enqueued',
  dropFinishedThere: '7: nor are those that are finished in their own shard, and not in all yet',
  ownerCheck: '8: every script checks the owner',
  incarnationCheck: '8: every script checks the incarnation',
  rewindOnLoss: '8: a bridge that claims again rewinds to the committed offset',
  ignoreEarlier: '9: replies to an earlier token are ignored',
  expectedCheck: '9: every script checks that `enqueued` is at least the expected offset',
  resendInOrder: '9: after a failed batch everything is sent again in order',
  ledgerSkip: '10: a batch adds only the jobs above `enqueued`',
  advanceEveryShard: '10: every batch advances every shard of its topic',
  letterFirst: '11: the letter of a record that is no job is acked before `enqueued` passes it',
  checkedLook: '13: finished is concluded only from one reply that passed the check',
  letterBeforeRemoval: '14: the letter of a dead job is acked before the job is removed',
  commitWhileOwned: '15: commit only while the assignment is the present one',
  commitLowest: '15: commit the lowest record that is not finished',
  metadata: 'metadata: a commit lists what is finished above its offset',
  poll: '16: incarnation and `enqueued` are polled',
  guard: "guard: Sluice's host runs a job only in a reconciled incarnation",
} as const;

export type Rule = keyof typeof RULES;

export interface World {
  /** Offsets 0 to records - 1 are in the log. */
  readonly records: number;
  /** Offsets that hold no record, as bits. */
  readonly gaps: number;
  /** Records that cannot become a job, as bits. */
  readonly rejected: number;
  /** Offset o goes to shard o mod shards. */
  readonly shards: number;
  readonly batchRecords: number;
  /** Whether the group has committed before, at offset 0. */
  readonly isKnown: boolean;
  /** Whether a ledger that was written for another generation of the topic is told from a present one. */
  readonly knowsGeneration: boolean;
  readonly workers: readonly ('host' | 'stock')[];
  /** Whether a reply may come after that to a later call: on another connection, or kept by a slow reader. */
  readonly hasLateReplies: boolean;
  readonly budget: Budget;
  readonly off: ReadonlySet<Rule>;
}

/** Tells of a step that is possible: who does what, and what it changes in a copy of the state. */
export type Emit = (who: string, what: string, change: (next: State) => void) => void;

export const NO_FAULTS: Budget = {
  ...{ flush: 0, restart: 0, restore: 0, bridgeCrash: 0, hostCrash: 0, rebalance: 0 },
  ...{ lostRequest: 0, lostReply: 0, lostCommitReply: 0, topicAnew: 0, jobDies: 0, jobRetried: 0, jobRemoved: 0 },
};

export interface WorldOptions extends Partial<Omit<World, 'budget' | 'off'>> {
  readonly budget?: Partial<Budget>;
  readonly off?: readonly Rule[];
}

export function world({ budget, off, ...rest }: WorldOptions = {}): World {
  return {
    ...{
      records: 2,
      gaps: 0,
      rejected: 0,
      shards: 1,
      batchRecords: 1,
      isKnown: false,
      knowsGeneration: false,
      workers: ['host'],
      hasLateReplies: false,
    },
    ...rest,
    budget: { ...NO_FAULTS, ...budget },
    off: new Set(off),
  };
}

export function bit(offset: number): number {
  return 1 << offset;
}

export function has(set: number, offset: number): boolean {
  return (set & bit(offset)) !== 0;
}

/** All offsets below this one. */
export function below(offset: number): number {
  return bit(Math.max(0, offset)) - 1;
}

export function offsetsOf(set: number): number[] {
  const offsets: number[] = [];
  for (let offset = 0; set >> offset !== 0; offset++) if (has(set, offset)) offsets.push(offset);
  return offsets;
}

export function setOf(offsets: Iterable<number>): number {
  let set = 0;
  for (const offset of offsets) set |= bit(offset);
  return set;
}

const rangeSets: RangeSet[] = [];

/** The same set as the bridge keeps it. Not to be changed. */
export function rangeSetOf(set: number): RangeSet {
  const known = rangeSets[set];
  if (known !== undefined) return known;
  const made = new RangeSet(offsetsOf(set).map((offset) => ({ start: offset, end: offset + 1 })));
  rangeSets[set] = made;
  return made;
}

export function shardOf(offset: number, { shards }: World): number {
  return offset % shards;
}
