/**
 * What the bridge needs of a Kafka client: a port, so that a second client can follow the first.
 * The conformance suite in test/conformance/ says what an implementation must do.
 *
 * Ownership has a number: every completed join of the group opens a new epoch. Whatever belongs to an
 * earlier epoch (a batch in hand, a commit on its way) is void, and an implementation refuses it.
 */
import type { Service } from '../service.ts';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Offsets are numbers: exact up to 2^53, which a partition does not reach. */
export interface KafkaRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Each header's last value, as text. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface RecordBatch extends TopicPartition {
  readonly epoch: number;
  readonly records: readonly KafkaRecord[];
  /** The partition's end when the batch was fetched. */
  readonly highWatermark: number;
  /** The first offset that the batch speaks for: where the partition was told to go on. The fetch may have begun behind it. */
  readonly start: number;
  /** The fetch went so far: from the last record to here the log holds nothing that counts, such as marks of transactions. */
  readonly end: number;
}

export interface Assignment {
  readonly epoch: number;
  readonly partitions: readonly TopicPartition[];
}

export interface BatchControl {
  /** Whether the batch's epoch is still the present one. */
  isCurrent(): boolean;
  /** The next fetch starts after this offset. What is not resolved when the handler returns is fetched again. */
  resolve(offset: number): void;
  /** Keeps the membership while the handler works; rejects when the group rebalances. */
  heartbeat(): Promise<void>;
}

export interface ConsumerHandlers {
  /** All partitions start paused and stay so until `resume`. Called once per completed join, before any batch of it. */
  assigned(assignment: Assignment): void;
  /** The epoch is over: nothing of it may be committed any more. */
  revoked(epoch: number): void;
  /** One call at a time for a partition; several partitions at once. Only for partitions that are not paused. */
  records(batch: RecordBatch, control: BatchControl): Promise<void>;
  /** The log does not hold the offset that the partition stands at. It is paused, and nothing moves by itself. */
  outOfRange(partition: TopicPartition): void;
  /** The consumer died and will not come back by itself. */
  failed(error: Error): void;
}

export interface OffsetCommit extends TopicPartition {
  /** The next record to consume. */
  readonly offset: number;
  readonly metadata: string;
}

export interface GroupConsumer extends Service {
  pause(partitions: readonly TopicPartition[]): void;
  resume(partitions: readonly TopicPartition[]): void;
  /** The next batch of the partition starts at `offset`; what was fetched from elsewhere is dropped. */
  seek(partition: TopicPartition, offset: number): void;
  /** Commits with the epoch's generation. Rejects DISOWNED when the epoch is over, UNREACHABLE when no broker answers. */
  commit(epoch: number, offsets: readonly OffsetCommit[]): Promise<void>;
}

/** What a consumer group has committed for one partition. */
export interface Committed {
  readonly offset: number;
  readonly metadata: string;
}

export interface Bounds {
  /** Lowest offset that can still be read. */
  readonly low: number;
  /** Offset that the next record will get. */
  readonly high: number;
}

/** The questions about topics and groups. Keys of the maps are `topic/partition`; rejects UNREACHABLE. */
export interface KafkaAdmin extends Service {
  clusterId(): Promise<string>;
  committed(groupId: string, topics: readonly string[]): Promise<Map<string, Committed>>;
  bounds(topics: readonly string[]): Promise<Map<string, Bounds>>;
  /** The first record that is not older than the time (milliseconds since the epoch), or the end, by partition. */
  offsetsAt(topic: string, time: number): Promise<Map<string, number>>;
  /** Makes what is missing; leaves what exists as it is. Waits for leaders. */
  ensureTopics(
    topics: readonly { topic: string; partitions: number; config?: Record<string, string> }[],
  ): Promise<void>;
  topics(): Promise<readonly string[]>;
  /** The settings of topics, those by default included. */
  settings(topics: readonly string[]): Promise<Map<string, ReadonlyMap<string, string>>>;
  /** Gives a topic partitions up to this number; more than that stay. */
  growTopic(topic: string, partitions: number): Promise<void>;
  /** How many consumers the group has. */
  members(groupId: string): Promise<number>;
  /** Deletes every record of the partition below the offset, for good. */
  deleteBelow(partition: TopicPartition, offset: number): Promise<void>;
}

export interface OutgoingRecord {
  readonly key: Buffer | string | null;
  readonly value: Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly partition?: number;
  /** Milliseconds since the epoch. */
  readonly timestamp?: number;
}

/** Idempotent, acks of all in-sync replicas. Resolves when Kafka has acked every record; rejects otherwise. */
export interface RecordProducer extends Service {
  send(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
}

export interface AddressedRecord extends OutgoingRecord {
  readonly topic: string;
}

/**
 * Writes to several topics at once. `start` ends what an earlier writer of the same name left undecided, and takes the
 * name from one that still runs, whose next call is DISOWNED then.
 */
export interface TransactionalProducer extends Service {
  /** All of the records can be read afterwards, or none. UNFIT: none; UNREACHABLE: what became of them is unknown. */
  write(records: readonly AddressedRecord[]): Promise<void>;
}

export interface ReadLimits {
  readonly maxRecords?: number;
  /** A single record may be larger, and is returned nevertheless. */
  readonly maxBytes?: number;
}

/** Reads logs without being a member of a group. */
export interface RecordReader extends Service {
  /**
   * Records from the offset on, in order; the first may lie higher, behind a gap. None: there is nothing up to the end
   * of the log. Rejects OUT_OF_RANGE, UNFIT (no such partition) or UNREACHABLE.
   */
  read(topic: string, partition: number, from: number, limits?: ReadLimits): Promise<KafkaRecord[]>;
  /**
   * The first record at or above `from`; where none can be read, the end of what is decided: below it only marks of
   * transactions, and what they took back, will ever be. Rejects as `read` does.
   */
  next(topic: string, partition: number, from: number): Promise<NextRecord>;
}

export interface NextRecord {
  readonly offset: number;
  /** Whether a record that can be read stands at the offset. */
  readonly isRecord: boolean;
}

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`;
}
