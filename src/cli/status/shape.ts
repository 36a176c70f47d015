/** What `sluice status --json` prints; a change of meaning raises the version. */
import type { HeardBeacon } from '../../presence/beacons.ts';
import type { GateView } from '../../presence/gates.ts';
import type { LossView } from '../../presence/losses.ts';

export const SHAPE_VERSION = 1;

export interface TopicStatus {
  readonly topic: string;
  /** False until a bridge has made it. */
  readonly exists: boolean;
  readonly partitions: number;
  /** Records that are not finished: log end minus committed, and minus what is finished above the commit. */
  readonly lagRecords: number;
  /** Age of the oldest of them, to about a tenth. */
  readonly lagSeconds: number;
  /** Records that Kafka holds as finished, below the committed offsets and above: all that have ended, however. */
  readonly finishedRecords: number;
  /** Those that have no letter: at least so many. Letters that repeat, or are ahead of the commit, are taken off too. */
  readonly completedRecords: number;
  /** Records that wait in delay topics, because they are due later than in a quarter of an hour. */
  readonly lateRecords: number;
  /** When the first of those that move on next is due; null when none waits. */
  readonly nextDueAt: string | null;
  /** Letters that wait; those further back than the newest 5,000 records of a partition of `<topic>.dlq` all count. */
  readonly deadLetters: number;
  /** Of the newest that wait, those of jobs whose attempts are exhausted, and of records that could not become a job. */
  readonly deadJobs: number;
  readonly rejectedRecords: number;
}

export interface RedisStatus {
  readonly redis: string;
  readonly usedBytes: number;
  /** 0: no limit; the gate's percents are then of the machine's memory. */
  readonly maxBytes: number;
  readonly systemBytes: number;
  /** As the bridges see it; null when none tells. */
  readonly gate: GateView | null;
}

export interface QueueStatus {
  readonly queue: string;
  readonly redis: string;
  readonly isPaused: boolean;
  readonly waiting: number;
  readonly active: number;
  readonly delayed: number;
  readonly prioritized: number;
  readonly failed: number;
}

/** Of the Redis that the configuration names for Sidekiq. */
export interface SidekiqStatus {
  readonly redis: string;
  /** Ruby's and Sluice's, as far as they are alive. */
  readonly processes: number;
  /** Ruby's without the middleware: where records are finished when Ruby has run them, theirs never are. */
  readonly silentProcesses: readonly string[];
  readonly busy: number;
  readonly waiting: number;
  readonly scheduled: number;
  readonly retries: number;
  readonly dead: number;
  /** The longest twenty; latency is the age of the job that is next. */
  readonly queues: readonly { readonly queue: string; readonly waiting: number; readonly latencySeconds: number }[];
}

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  readonly state: string;
  readonly haltReason: string;
  readonly carried: number;
  readonly retentionLeftMs: number | null;
  readonly isRetentionShort: boolean;
}

export interface Status {
  readonly version: typeof SHAPE_VERSION;
  readonly at: string;
  readonly verdict: string;
  readonly isHealthy: boolean;
  /** Dependencies that did not answer, and why. */
  readonly unreachable: readonly string[];
  readonly topics: readonly TopicStatus[];
  readonly redis: readonly RedisStatus[];
  readonly queues: readonly QueueStatus[];
  /** Null where Sidekiq has never been. */
  readonly sidekiq: SidekiqStatus | null;
  /** Topics whose records are finished when Ruby, or a worker here, has run them. */
  readonly acknowledged: readonly string[];
  /** Those that are silent for a few seconds are dead or stuck; they are listed for twenty. */
  readonly roles: readonly HeardBeacon[];
  /** What Redis has lost and got back, the newest first. */
  readonly losses: readonly LossView[];
  /** Partitions that wait for an operator. */
  readonly halted: readonly PartitionStatus[];
  /** Partitions with an unfinished record that Kafka may delete soon. */
  readonly expiring: readonly PartitionStatus[];
}
