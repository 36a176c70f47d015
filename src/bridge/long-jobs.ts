/**
 * Jobs that run or wait for long must not hold the commit back for ever. Where they do, their records are carried: kept
 * beside their log (carried.ts) until the job is finished, so that the commit may pass them. The job, its id and
 * its place in the ledger stay as they are. Two things hold too much back:
 *
 *   the commit's metadata is nearly full     what does not fit would run again after a loss of Redis (P4)
 *   the record nears its topic's retention   what Kafka has deleted cannot be enqueued again (P3)
 *
 * Where nothing can be carried, because the record is not a job yet or Kafka refuses, the time that is left is told
 * early. In each crash the record is in its log, carried, or both, until its job is finished:
 *
 *   before Kafka has acked the carried record     the commit has not passed it; it is carried again
 *   before the commit has passed it               it is in its log, and carried besides
 *   after that, job unfinished                    the next claim reads what is carried, and does not take it for finished
 *   job finished, Kafka not told of it yet        the ledger says so, and Kafka is told again; only if Redis is lost in this
 *                                                 second does it run again, as any job (P4)
 */
import type { Clock } from '../clock.ts';
import { isSluiceError, messageOf } from '../errors.ts';
import type { KafkaAdmin, KafkaRecord, RecordReader } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createSeldom } from '../seldom.ts';
import type { Delays } from './delays.ts';
import type { HeldPartition } from './held-partition.ts';
import { fillOf } from './metadata.ts';
import { isShort, retentionOf, timeLeftMs } from './retention.ts';

const CARRIED_AT_ONCE = 500;
/** Of one partition: a claim has their records in memory. */
const MOST_CARRIED = 10_000;
const CARRIES_A_LOOK = 20;
const READ_AGAIN_LOOKS = 10;
const ASK_RETENTION_EVERY_MS = 60_000;

export interface LongJobLimits {
  readonly lookEveryMs: number;
  /** Of the metadata's room, above which unfinished records are carried that are older than this. */
  readonly fillShare: number;
  readonly oldAfterMs: number;
  /** Of the topic's retention, at which an unfinished record is carried. */
  readonly retentionShare: number;
}

export const LONG_JOB_LIMITS: LongJobLimits = {
  lookEveryMs: 1_000,
  fillShare: 0.75,
  oldAfterMs: 60_000,
  retentionShare: 0.5,
};

export interface LongJobsOptions {
  readonly limits: LongJobLimits;
  readonly held: () => readonly HeldPartition[];
  readonly delays: Delays;
  readonly reader: RecordReader;
  readonly admin: KafkaAdmin;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Fires when the bridge stops. */
  readonly signal: AbortSignal;
}

/** Of a record that is not there yet; it may come at any time. */
const NONE_YET = Number.POSITIVE_INFINITY;

interface Oldest {
  readonly offset: number;
  readonly timestamp: number;
  readonly readAt: number;
}

export class LongJobs {
  readonly #options: LongJobsOptions;
  readonly #oldests = new WeakMap<HeldPartition, Oldest>();
  readonly #seldom;
  #retentions: ReadonlyMap<string, number> = new Map();
  #askAt = 0;

  constructor(options: LongJobsOptions) {
    this.#options = options;
    this.#seldom = createSeldom(options.clock);
  }

  async run(): Promise<void> {
    const { clock, signal, held, limits } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(limits.lookEveryMs, signal);
      const ready = held().filter(({ isReady }) => isReady);
      await this.#askRetentions(ready);
      for (const each of ready) await this.#look(each);
      this.#tellShortest(ready);
    }
  }

  async #look(held: HeldPartition): Promise<void> {
    const { topic, partition } = held;
    try {
      await this.#release(held);
      await this.#guard(held);
    } catch (error) {
      const passedOver = this.#seldom(partitionKey(held));
      if (passedOver !== undefined)
        this.#options.log.warn(
          { topic, partition, reason: messageOf(error), passedOver },
          'long jobs not looked after yet',
        );
    }
  }

  async #release(held: HeldPartition): Promise<void> {
    const finished = [...held.carried].filter((offset) => held.isFinished(offset));
    if (finished.length === 0) return;
    await this.#options.delays.release(held, finished);
    for (const offset of finished) held.carried.delete(offset);
  }

  async #guard(held: HeldPartition): Promise<void> {
    const { clock } = this.#options;
    const oldest = await this.#oldest(held);
    if (oldest === undefined) return;
    const retentionMs = this.#retentionOf(held);
    held.retentionLeftMs = timeLeftMs(oldest.timestamp, retentionMs, clock.now());
    held.isRetentionShort = isShort(held.retentionLeftMs, retentionMs);
    for (let i = 0; i < CARRIES_A_LOOK; i++) if (!(await this.#carryOld(held, oldest.timestamp))) return;
  }

  /** The lowest unfinished record; undefined while that changes often: then nothing is held back by it. */
  async #oldest(held: HeldPartition): Promise<Oldest | undefined> {
    const { reader, clock, limits } = this.#options;
    const { topic, partition, settled: offset } = held;
    const known = this.#oldests.get(held);
    if (known?.offset === offset && known.timestamp !== NONE_YET) return known;
    if (known !== undefined && clock.now() < known.readAt + READ_AGAIN_LOOKS * limits.lookEveryMs) return undefined;
    const [record] = await reader.read(topic, partition, offset, { maxRecords: 1, maxBytes: 1 }).catch((error) => {
      held.isRetentionShort ||= isSluiceError(error, 'OUT_OF_RANGE');
      throw error;
    });
    const oldest = { offset, timestamp: record?.timestamp ?? NONE_YET, readAt: clock.now() };
    this.#oldests.set(held, oldest);
    return oldest;
  }

  /** Whether it carried something, and there may be more. Those behind the oldest go along when they are old too. */
  async #carryOld(held: HeldPartition, oldestAt: number): Promise<boolean> {
    const { reader, clock, limits, delays, log, metrics } = this.#options;
    const { topic, partition, shards, settled: from } = held;
    // What a claim that was made anew meanwhile says is unfinished is looked up anew.
    const isClaimed = () => held.isReady && held.shards === shards;
    const isFull = fillOf(from, held.progress(from)) > limits.fillShare;
    const nearEndMs = this.#retentionOf(held) * (1 - limits.retentionShare);
    const ageMs = Math.min(nearEndMs, isFull ? limits.oldAfterMs : Number.POSITIVE_INFINITY);
    const isOld = (timestamp: number) => clock.now() - timestamp >= ageMs;
    const room = MOST_CARRIED - held.carried.size;
    if (from > held.acked || !isOld(oldestAt) || room <= 0) return false;
    const records = await reader.read(topic, partition, from, { maxRecords: CARRIED_AT_ONCE });
    const unfinished = this.#unfinished(held, records).filter(({ timestamp }) => isOld(timestamp));
    const old = unfinished.slice(0, room);
    if (old.length === 0 || !isClaimed() || !(await this.#mayCarry(held)) || !isClaimed()) return false;
    await delays.carry(held, old);
    for (const { offset } of old) held.carried.add(offset);
    metrics.recordsCarried.inc({ topic }, old.length);
    const why = isFull ? 'the metadata of the commit is nearly full' : 'their retention ends';
    log.info({ topic, partition, records: old.length, why }, 'records of long jobs are carried');
    return true;
  }

  /**
   * A claim looks for carried records where their topic is there. So the partition must still be this bridge's after the
   * topic was made: whoever claims it later finds the topic, and shuts this bridge out before it reads.
   */
  async #mayCarry(held: HeldPartition): Promise<boolean> {
    if (held.confirmation === 'none') {
      await this.#options.delays.prepareToCarry(held);
      held.confirmation = 'asked';
    }
    return held.confirmation === 'given';
  }

  #retentionOf({ topic }: HeldPartition): number {
    return this.#retentions.get(topic) ?? Number.POSITIVE_INFINITY;
  }

  /** Jobs, that is: what is not enqueued yet waits in its log. */
  #unfinished(held: HeldPartition, records: readonly KafkaRecord[]): KafkaRecord[] {
    return records.filter(
      ({ offset }) => offset <= held.acked && !held.isFinished(offset) && !held.carried.has(offset),
    );
  }

  async #askRetentions(held: readonly HeldPartition[]): Promise<void> {
    const { admin, clock, log } = this.#options;
    if (clock.now() < this.#askAt || held.length === 0) return;
    try {
      const settings = await admin.settings([...new Set(held.map(({ topic }) => topic))]);
      this.#retentions = new Map([...settings].map(([topic, each]) => [topic, retentionOf(each)]));
      this.#askAt = clock.now() + ASK_RETENTION_EVERY_MS;
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'retention not asked for');
    }
  }

  #tellShortest(held: readonly HeldPartition[]): void {
    const { log, metrics } = this.#options;
    for (const [topic, of] of Map.groupBy(held, (each) => each.topic)) {
      const [shortest] = [...of].sort((a, b) => a.retentionLeftMs - b.retentionLeftMs);
      if (shortest === undefined) continue;
      metrics.retentionLeft.set({ topic }, shortest.retentionLeftMs / 1_000);
      if (!shortest.isRetentionShort) continue;
      const passedOver = this.#seldom(`retention ${topic}`);
      if (passedOver === undefined) continue;
      const { partition, settled: offset, retentionLeftMs: leftMs } = shortest;
      log.error(
        { topic, partition, offset, leftMs, passedOver },
        'an unfinished record nears the end of its retention',
      );
    }
  }
}
