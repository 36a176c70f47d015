/**
 * Makes delay topics when they are first needed, with the partitions of their topic. Their records stay until they have
 * moved on, however long that takes: no retention deletes them. Of the topics of states and of carried records only the
 * last record of each key counts.
 */
import type { Clock } from '../clock.ts';
import { type KafkaAdmin, partitionKey, type TopicPartition } from '../kafka/consumer.ts';
import { LETTER_BYTES } from './letters.ts';

const WAITING = { 'retention.ms': '-1', 'retention.bytes': '-1', 'max.message.bytes': String(LETTER_BYTES) };
/** Kafka compacts no segment that is written to, so it begins a new one soon. A segment has room for the largest record. */
const KEYED = {
  'cleanup.policy': 'compact',
  'max.message.bytes': String(LETTER_BYTES),
  'segment.bytes': String(LETTER_BYTES),
  'segment.ms': String(3_600_000),
  'min.cleanable.dirty.ratio': '0.1',
};
const ASK_AGAIN_MS = 30_000;
const LEADER_TRIES = 20;
const LEADER_WAIT_MS = 100;

export class DelayTopics {
  readonly #admin: KafkaAdmin;
  readonly #clock: Clock;
  readonly #making = new Map<string, Promise<void>>();
  /** Partitions that are known to be there. */
  readonly #made = new Set<string>();
  #names: { readonly all: ReadonlySet<string>; readonly at: number } | undefined;

  #asking: Promise<readonly string[]> | undefined;

  constructor(admin: KafkaAdmin, clock: Clock) {
    this.#admin = admin;
    this.#clock = clock;
  }

  /** As it was half a minute ago; what was made here is known at once. */
  async isThere(topic: string): Promise<boolean> {
    if (this.#names === undefined || this.#clock.now() - this.#names.at > ASK_AGAIN_MS) {
      this.#names = { all: new Set(await this.#admin.topics()), at: this.#clock.now() };
    }
    return this.#names.all.has(topic);
  }

  /** Many ask at once, after a join. */
  async isThereNow(topic: string): Promise<boolean> {
    this.#asking ??= this.#admin.topics().finally(() => {
      this.#asking = undefined;
    });
    return (await this.#asking).includes(topic);
  }

  /** The partition of a delay topic that belongs to one of the topic `of`. */
  async ensure(topic: string, of: TopicPartition): Promise<void> {
    const place = partitionKey({ topic, partition: of.partition });
    if (this.#made.has(place)) return;
    const making = this.#making.get(topic) ?? this.#make(topic, of);
    this.#making.set(topic, making);
    await making.finally(() => this.#making.delete(topic));
    this.#made.add(place);
    this.#names = undefined;
  }

  async #make(topic: string, of: TopicPartition): Promise<void> {
    const partitions = (await this.#admin.bounds([of.topic])).size;
    await this.#admin.ensureTopics([{ topic, partitions, config: isKeyed(topic) ? KEYED : WAITING }]);
    for (let tries = LEADER_TRIES; ; tries--) {
      try {
        return await this.#admin.growTopic(topic, partitions);
      } catch (error) {
        // Where another bridge has just made it, its leaders are not elected yet.
        if (tries === 0) throw error;
        await this.#clock.sleep(LEADER_WAIT_MS);
      }
    }
  }
}

function isKeyed(topic: string): boolean {
  return topic.endsWith('.state') || topic.endsWith('.long');
}
