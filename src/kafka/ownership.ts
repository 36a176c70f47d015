/**
 * What a member owns, and since when: KafkaJS tells neither. Every completed join is an epoch; a batch belongs to the
 * epoch and to the place of its partition that it was fetched for, and is void when either has changed.
 */
import type { EachBatchPayload } from 'kafkajs';
import { partitionKey, type TopicPartition } from './consumer.ts';
import type { ClientGroup } from './group-seam.ts';

type JoinOffsets = ClientGroup['offsetManager'];

/** What a batch in work may still do. */
export interface Hold {
  readonly epoch: number;
  /** The epoch goes on. */
  isHeld(): boolean;
  /** And the partition was not sent elsewhere. */
  isInPlace(): boolean;
}

export class Ownership {
  readonly #paused = new Set<string>();
  /** How often each partition was sent elsewhere. */
  readonly #turns = new Map<string, number>();
  /** Where each was told to go on. The client goes on from there by itself over what holds no record for the handler. */
  readonly #places = new Map<string, number>();
  #owned = new Set<string>();
  /** Of the present join; it keeps the join's generation. */
  #offsets: JoinOffsets | undefined;
  #epoch = 0;

  /** The epoch that begins. Its partitions stand still. */
  begin(partitions: readonly TopicPartition[], offsets: JoinOffsets): number {
    this.#epoch += 1;
    this.#offsets = offsets;
    this.#owned = new Set(partitions.map(partitionKey));
    this.#paused.clear();
    this.#places.clear();
    return this.#epoch;
  }

  /** The epoch that is over by this, if there was one. */
  end(): number | undefined {
    if (this.#offsets === undefined) return undefined;
    this.#offsets = undefined;
    return this.#epoch;
  }

  /** What commits for the epoch; undefined when it is over. */
  offsetsOf(epoch: number): JoinOffsets | undefined {
    return epoch === this.#epoch ? this.#offsets : undefined;
  }

  paused(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.#paused.add(partitionKey(each));
  }

  resumed(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.#paused.delete(partitionKey(each));
  }

  sentElsewhere(partition: TopicPartition, offset: number): void {
    const key = partitionKey(partition);
    this.#turns.set(key, (this.#turns.get(key) ?? 0) + 1);
    this.#places.set(key, offset);
  }

  goesOnAt(partition: TopicPartition, offset: number): void {
    this.#places.set(partitionKey(partition), offset);
  }

  /** The first offset that a batch speaks for. */
  startOf(batch: TopicPartition): number {
    const fetchedOffset = Number(Reflect.get(batch, 'fetchedOffset'));
    return Math.min(fetchedOffset, this.#places.get(partitionKey(batch)) ?? fetchedOffset);
  }

  /** Undefined for a batch of a partition that is not owned, stands still, or has moved since the fetch. */
  hold({ batch, isStale }: EachBatchPayload): Hold | undefined {
    const key = partitionKey(batch);
    if (this.#offsets === undefined || !this.#owned.has(key) || this.#paused.has(key) || isStale()) return undefined;
    const fetchedOffset: unknown = Reflect.get(batch, 'fetchedOffset');
    if (String(fetchedOffset) !== String(this.#offsets.nextOffset(batch.topic, batch.partition))) return undefined;
    const [epoch, turn] = [this.#epoch, this.#turns.get(key)];
    const isHeld = () => this.offsetsOf(epoch) !== undefined;
    return { epoch, isHeld, isInPlace: () => isHeld() && this.#turns.get(key) === turn };
  }
}
