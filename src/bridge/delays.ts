/**
 * Jobs due later than in a quarter of an hour wait in Kafka: a lane for each partition takes them out of its log and
 * brings them back near their time (late-records.ts), and keeps the records of long jobs (carried.ts). A lane is opened when its
 * topic has late or carried records, or had some before; a topic without them costs nothing. What Kafka refuses or does not answer is tried again.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Event } from '../job/job.ts';
import { type Buckets, carriedTopic, delayStateTopic, LATE } from '../job/late.ts';
import { firstOriginOf } from '../job/letter.ts';
import type { TopicPartition } from '../kafka/consumer.ts';
import {
  type KafkaAdmin,
  type KafkaRecord,
  partitionKey,
  type RecordReader,
  type TransactionalProducer,
} from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createSeldom } from '../seldom.ts';
import { type CarriedRecord, carriedBy, carry, release } from './carried.ts';
import { DelayTopics } from './delay-topics.ts';
import type { HeldPartition } from './held-partition.ts';
import { Lane } from './lane.ts';
import { type LateRecord, LateRecords } from './late-records.ts';
import type { LetterOrigin, Letters } from './letters.ts';

const LOOK_EVERY_MS = 1_000;
const LOOK_SOONEST_MS = 50;
const DELETE_EVERY_MS = 60_000;

export interface DelaysOptions {
  readonly group: string;
  readonly buckets: Buckets;
  readonly held: () => readonly HeldPartition[];
  readonly producer: (name: string) => TransactionalProducer;
  readonly letters: Letters;
  readonly reader: RecordReader;
  readonly admin: KafkaAdmin;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Fires when the bridge stops. */
  readonly signal: AbortSignal;
}

export class Delays {
  readonly #options: DelaysOptions;
  readonly #lanes = new Map<string, { readonly lane: Lane; readonly late: LateRecords }>();
  readonly #topics: DelayTopics;
  readonly #seldom;
  #deleteAt = 0;

  constructor(options: DelaysOptions) {
    this.#options = options;
    this.#topics = new DelayTopics(options.admin, options.clock);
    this.#seldom = createSeldom(options.clock);
  }

  /**
   * When the record's job is due, if it was late when it was written; undefined: it is for Redis. Whenever the record is
   * read, again after a crash included, the answer is the same.
   */
  dueOf({ runAt }: Event, { headers, timestamp }: KafkaRecord): number | undefined {
    if (runAt === undefined || headers[LATE.due] !== undefined) return undefined;
    return runAt - timestamp > this.#options.buckets.nearMs ? runAt : undefined;
  }

  /** Whether it came back for another group, whose bridges have taken its first life out of the same log. */
  isForOthers({ headers }: KafkaRecord): boolean {
    return headers[LATE.group] !== undefined && headers[LATE.group] !== this.#options.group;
  }

  /** Resolves when Kafka has them in delay topics, once each. */
  async take(held: HeldPartition, late: readonly LateRecord[]): Promise<void> {
    if (late.length === 0) return;
    const taken = await this.#lane(held).late.take(held.generation, late);
    this.#options.metrics.recordsSettled.inc({ topic: held.topic, outcome: 'late' }, taken);
  }

  /** What is carried of a partition that was just assigned; asked anew each time, since another bridge may have begun it. */
  async carried(of: TopicPartition): Promise<readonly CarriedRecord[]> {
    const topic = carriedTopic(of.topic, this.#options.group);
    return (await this.#topics.isThereNow(topic)) ? carriedBy(this.#lane(of).lane) : [];
  }

  carry(held: HeldPartition, records: readonly KafkaRecord[]): Promise<void> {
    return carry(
      this.#lane(held).lane,
      records.map((record) => ({ generation: held.generation, record })),
    );
  }

  /** The jobs of these offsets are finished. */
  release(held: HeldPartition, offsets: readonly number[]): Promise<void> {
    return release(this.#lane(held).lane, held.generation, offsets);
  }

  async run(): Promise<void> {
    const { clock, signal } = this.#options;
    while (!signal.aborted) {
      const nextAt = await this.#round();
      const pauseMs = Math.min(LOOK_EVERY_MS, Math.max(LOOK_SOONEST_MS, nextAt - clock.now()));
      await clock.sleep(pauseMs, signal);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(({ lane }) => lane.close()));
  }

  /** Answers when the next record is due to move. */
  async #round(): Promise<number> {
    const held = this.#options.held().filter(({ isReady }) => isReady);
    await this.#closeOthers();
    const late = await this.#withLate(held);
    const nextAts = await Promise.all(late.map((each) => this.#moveOn(each)));
    if (this.#options.clock.now() >= this.#deleteAt) await this.#deleteMoved();
    return Math.min(...nextAts, Number.POSITIVE_INFINITY);
  }

  /** Those with a lane, and those whose topic had late records before this bridge came. */
  async #withLate(held: readonly HeldPartition[]): Promise<readonly HeldPartition[]> {
    const { group, log } = this.#options;
    try {
      const had = new Set<string>();
      for (const topic of new Set(held.map((each) => each.topic)))
        if (await this.#topics.isThere(delayStateTopic(topic, group))) had.add(topic);
      return held.filter((each) => had.has(each.topic));
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'delay topics not asked for');
      return [];
    }
  }

  async #moveOn(held: HeldPartition): Promise<number> {
    const { topic, partition } = held;
    try {
      const { moved, nextAt } = await this.#lane(held).late.moveOn();
      this.#options.metrics.lateRecordsMoved.inc({ topic }, moved);
      return nextAt;
    } catch (error) {
      const passedOver = this.#seldom(partitionKey(held));
      if (passedOver !== undefined) {
        this.#options.log.warn(
          { topic, partition, reason: messageOf(error), passedOver },
          'late records not moved yet',
        );
      }
      return this.#options.clock.now() + LOOK_EVERY_MS;
    }
  }

  #lane(of: TopicPartition): { readonly lane: Lane; readonly late: LateRecords } {
    const { group, buckets, producer, reader, admin, log, clock } = this.#options;
    const { topic, partition } = of;
    const known = this.#lanes.get(partitionKey(of));
    if (known !== undefined) return known;
    const lane = new Lane(of, {
      group,
      reader,
      admin,
      ensure: (name) => this.#topics.ensure(name, of),
      producer: () => producer(`sluice~${topic}.delay~${partition}~${group}`),
    });
    const late = new LateRecords(lane, {
      buckets,
      clock,
      refuse: (generation, record, error) => this.#refuse({ topic, partition, generation }, record, error),
      onMissing: (place, from, to) => log.error({ ...place, from, to }, 'late records were deleted before their time'),
    });
    this.#lanes.set(partitionKey(of), { lane, late });
    return { lane, late };
  }

  async #refuse(of: LetterOrigin, record: KafkaRecord, error: string): Promise<void> {
    const offset = firstOriginOf(record.headers)?.offset ?? record.offset;
    await this.#options.letters.reject(of, [
      { record: { ...record, offset }, rejection: { reason: 'too-large', error } },
    ]);
  }

  async #closeOthers(): Promise<void> {
    const held = new Set(this.#options.held().map(partitionKey));
    for (const [key, { lane }] of this.#lanes) {
      if (held.has(key)) continue;
      this.#lanes.delete(key);
      await lane.close();
    }
  }

  /** Kafka keeps what waits for ever; what has moved on is deleted here. */
  async #deleteMoved(): Promise<void> {
    const { admin, clock, log } = this.#options;
    this.#deleteAt = clock.now() + DELETE_EVERY_MS;
    for (const { lane, late } of this.#lanes.values()) {
      for (const { topic, below } of late.moved) {
        await admin
          .deleteBelow({ topic, partition: lane.of.partition }, below)
          .catch((error: unknown) => log.debug({ topic, reason: messageOf(error) }, 'moved records not deleted yet'));
      }
    }
  }
}
