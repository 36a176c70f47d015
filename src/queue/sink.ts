/**
 * The sink: what a bridge can do to the queues of one library in one shard (what one Redis script can reach). Every call
 * but `claim` is fenced by the ledger: Redis checks, in the script that acts, that the claim still holds, and answers
 * with a status instead of acting when it does not. A rejected promise says nothing about what became of the call.
 */
import type { Job, JobAbout } from '../job/job.ts';
import type { LedgerName } from '../redis/keys.ts';
import type { SidekiqCensus } from './sidekiq/census.ts';

/** A stretch of offsets, the end exclusive. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** A partition's ledger in one shard, in the hands of one bridge. */
export interface Claim {
  readonly ledger: LedgerName;
  /** Raised when an operator resets a topic made anew; part of every job id. */
  readonly generation: number;
  /** Random; whoever wrote it last owns the ledger. */
  readonly token: string;
  readonly incarnation: string;
  /** Last offset that the shard had dealt with when it was claimed; -1: none ever. */
  readonly enqueued: number;
  /** Whether what the ledger lists as unsettled has been reconciled with Kafka since Redis's last rebirth. */
  readonly isReconciled: boolean;
}

export interface Unclaimed {
  readonly status: 'corrupt' | 'newer';
  /** The ledger's. */
  readonly generation: number;
}

/**
 * `disowned`: somebody else claimed the ledger, or it is gone. `reborn`: Redis has another history than the claim's.
 * `behind`: an earlier batch did not arrive. `corrupt`: a key of the ledger is of another type.
 */
export type FenceStatus = 'disowned' | 'reborn' | 'behind' | 'corrupt';

export interface Fenced {
  readonly status: FenceStatus;
  readonly enqueued: number;
}

export interface PlacedJob {
  readonly offset: number;
  readonly job: Job;
}

/** Jobs of a batch that are written already as their sink sends them. */
export interface PackedJobs {
  /** In order. */
  readonly offsets: readonly number[];
  readonly count: number;
  /** As they are sent. */
  readonly textBytes: number;
  /** How many there are of each queue. */
  readonly byQueue: ReadonlyMap<string, number>;
}

export type Jobs = readonly PlacedJob[] | PackedJobs;

export interface Batch {
  /** In the order of their offsets. */
  readonly jobs: Jobs;
  /** The ledger advances to this offset, whether its record became a job here or not. */
  readonly last: number;
}

export interface Enqueued {
  readonly status: 'ok';
  readonly enqueued: number;
  readonly usedBytes: number;
  readonly created: number;
  /** Jobs that were there although the ledger did not say so: another group feeds the same queue. */
  readonly existed: number;
  /** Jobs waiting in the longest queue of the batch. */
  readonly depth: number;
}

/** A queue that must not be written to as it is. Nothing of the batch was written. */
export interface Refused {
  readonly status: 'refused';
  readonly queue: string;
  readonly why: string;
}

export interface DeadJob {
  readonly offset: number;
  readonly queue: string;
}

/** A stretch of offsets [start, end) and how many of them are unsettled. */
export interface Block {
  readonly start: number;
  readonly end: number;
  readonly unsettled: number;
}

/** Speaks for every offset of [from, end): those in no block are settled in this shard. */
export interface Counted {
  readonly status: 'ok';
  readonly enqueued: number;
  readonly from: number;
  readonly end: number;
  /** In order. */
  readonly blocks: readonly Block[];
  /** Queues that hold unsettled jobs. */
  readonly queues: readonly string[];
  /** Beginnings of blocks in which Sluice's hosts have finished something since this was last asked. */
  readonly changed: readonly number[];
}

/** Speaks for every offset of [from, end): those not in `unsettled` are settled in this shard. */
export interface Listed {
  readonly status: 'ok';
  readonly enqueued: number;
  readonly from: number;
  readonly end: number;
  /** In no order; dead ones included. */
  readonly unsettled: readonly number[];
}

export interface Inspected extends Listed {
  readonly completed: number;
  /** Removed from the queue by somebody else. */
  readonly gone: number;
  readonly dead: readonly DeadJob[];
}

/** What became of jobs that were said to be finished; the others are not. */
export interface Settled {
  readonly status: 'ok';
  readonly settled: readonly number[];
  readonly dead: readonly number[];
}

/** Jobs that a queue lists as finished, oldest first. */
export interface FinishedPage {
  readonly ids: readonly string[];
  /** Where the next page begins. */
  readonly next: number;
  readonly isLast: boolean;
}

/** What a letter tells about a dead job. */
export interface DeadJobReport {
  readonly queue: string;
  readonly name: string;
  readonly data: string;
  readonly about: JobAbout;
  readonly reason: string;
  readonly stack: string;
  readonly attempts: number;
  /** Milliseconds since the epoch; 0: not known. */
  readonly createdAt: number;
  readonly failedAt: number;
}

export interface MemoryReading {
  readonly usedBytes: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  readonly systemBytes: number;
  readonly evictionPolicy: string;
  readonly version: string;
}

/** The part that knows no queue: the ledger itself. */
export interface Ledger {
  /** `newer`: the ledger is of a later generation than the caller knows. An earlier one is forgotten. */
  claim(ledger: LedgerName, generation: number): Promise<Claim | Unclaimed>;
  /** Counts about `budget` blocks from the offset `from` (rounded down to a block) upwards; looks at no job. */
  count(claim: Claim, expected: number, from: number, budget: number): Promise<Counted | Fenced>;
  /** Lists what is unsettled among about `budget` jobs from the offset `from` upwards; looks at no job. */
  list(claim: Claim, expected: number, from: number, budget: number): Promise<Listed | Fenced>;
}

export interface Sink extends Ledger {
  /** Whether the ledger keeps a job's offset until the job is finished; otherwise to be enqueued is to be finished. */
  readonly isTracked: boolean;
  /** `expected`: the offset that the caller believes the ledger to stand at, at least. */
  enqueue(claim: Claim, expected: number, batch: Batch): Promise<Enqueued | Refused | Fenced>;
  /**
   * Removes the jobs of finished offsets that a restored Redis brought back (rule 6), and lets workers run the rest.
   * `finished` is in order, not touching. Answers how many it removed.
   */
  reconcile(
    claim: Claim,
    finished: readonly Range[],
  ): Promise<{ readonly status: 'ok'; readonly removed: number } | Fenced>;
  /** As `list`, and looks at each of the jobs: those that are completed or gone are settled. */
  inspect(claim: Claim, expected: number, from: number, budget: number): Promise<Inspected | Fenced>;
  /** What became of a dead job; undefined when it is not there any more. */
  report(claim: Claim, dead: DeadJob): Promise<DeadJobReport | undefined>;
  /** Settles a dead job whose letter is written; false when it lives again. */
  bury(claim: Claim, expected: number, dead: DeadJob): Promise<boolean | Fenced>;
  /** Jobs waiting, by queue. */
  depths(queues: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** BullMQ's queues list what their workers have finished. */
export interface BullSink extends Sink {
  /** Settles those of a queue's jobs that are completed indeed. */
  settle(claim: Claim, expected: number, queue: string, offsets: readonly number[]): Promise<Settled | Fenced>;
  /** Ids that a queue lists as completed or failed, from a place that an earlier page gave; 0 is the beginning. */
  finishedSince(queue: string, state: 'completed' | 'failed', since: number, now: number): Promise<FinishedPage>;
}

/** Sidekiq keeps no account of a job that it has taken: what got lost has to be found. */
export interface SidekiqSink extends Sink {
  /** Puts a lost job back, or into the schedule when it is due later; false when it is finished. */
  revive(claim: Claim, expected: number, placed: PlacedJob): Promise<boolean | Fenced>;
  /** Reports a job that was lost and cannot be made again, as one that has died of the reason. */
  giveUp(claim: Claim, expected: number, offset: number, reason: string): Promise<boolean | Fenced>;
  /** Reports a job that is dead and that nobody has reported; `text` as it lies in the set of dead jobs, a job that can be read. */
  condemn(claim: Claim, expected: number, offset: number, text: string): Promise<boolean | Fenced>;
  /** Offsets of jobs that went from hand to hand since this was last forgotten. */
  moved(claim: Claim): Promise<number[]>;
  forgetMoved(claim: Claim, expected: number): Promise<boolean | Fenced>;
}

/** All that a bridge does to one Redis. */
export interface Sinks {
  /** Name of the shard: the configured Redis. */
  readonly name: string;
  readonly bullmq: BullSink;
  /** By what finishes a record. */
  readonly sidekiq: Readonly<Record<'enqueued' | 'acknowledged', SidekiqSink>>;
  readonly census: SidekiqCensus;
  memory(): Promise<MemoryReading>;
  close(): Promise<void>;
}

export function isFenced(reply: { readonly status: string } | boolean): reply is Fenced {
  return typeof reply === 'object' && reply.status !== 'ok' && reply.status !== 'refused';
}
