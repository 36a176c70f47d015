/**
 * The late records of one partition: takes them out of its log into delay topics, and moves them on until they are back
 * at the end of the log, near their time. Each step is one transaction of the records with the state that says that it
 * was made, so each record is in exactly one place, whenever a bridge dies. Whoever opens a lane shuts out the bridge
 * that had it before, and reads the state only then: two that believe to have it cannot both make a step.
 *
 * A crash before a transaction's end leaves nothing of it; after it, the step is made, and the state tells so to who reads
 * the same records again: a late record below `takenTo` is passed by. What is late must therefore not depend on the time
 * at which it is read: see `dueOf` in delays.ts.
 */
import type { Clock } from '../clock.ts';
import { isSluiceError, messageOf } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { jobIdPrefix } from '../job/identity.ts';
import { type Bucket, type Buckets, bucketFor, carriedTopic, delayStateTopic, delayTopic, LATE } from '../job/late.ts';
import { firstLife, HISTORY } from '../job/letter.ts';
import {
  type KafkaAdmin,
  type KafkaRecord,
  type OutgoingRecord,
  partitionKey,
  type RecordReader,
  type TopicPartition,
  type TransactionalProducer,
} from '../kafka/consumer.ts';
import { readOn } from '../kafka/letters/survey.ts';
import { asCarried, asFinished, type CarriedRecord, unfinishedOf } from './carried.ts';
import { type DelayState, NOTHING_TAKEN, readState, stateRecord, type Waiting } from './delay-state.ts';

const MOVED_AT_ONCE = 500;
const LOOK_AGAIN_MS = 1_000;
const STOP_MS = 1_000;
const NO_LOG = { low: 0, high: 0 };

export interface LateRecord {
  readonly record: KafkaRecord;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly queue: string;
}

export interface LaneOptions {
  readonly group: string;
  readonly buckets: Buckets;
  /** Each that starts shuts out those before it. */
  readonly producer: () => TransactionalProducer;
  readonly reader: RecordReader;
  readonly admin: Pick<KafkaAdmin, 'bounds' | 'topics'>;
  /** Makes the delay topic, or the partition of it, where it is missing. */
  readonly ensure: (topic: string, of: TopicPartition) => Promise<void>;
  /** Resolves when there is a dead letter for a record that cannot come back. */
  readonly refuse: (generation: number, record: KafkaRecord, error: string) => Promise<void>;
  /** Somebody has deleted waiting records from one offset to before another. */
  readonly onMissing: (of: TopicPartition, from: number, to: number) => void;
  readonly clock: Clock;
}

/** A record on its way: where it goes, and the bucket that it waits in there. */
interface Move {
  readonly to: Bucket | undefined;
  readonly record: OutgoingRecord;
}

export class DelayLane {
  readonly #of: TopicPartition;
  readonly #options: LaneOptions;
  /** When the next record of a bucket moves on, where that was looked up. */
  readonly #heads = new Map<string, number>();
  #atOnce = MOVED_AT_ONCE;
  #producer: TransactionalProducer | undefined;
  #state: DelayState | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ topic, partition }: TopicPartition, options: LaneOptions) {
    this.#of = { topic, partition };
    this.#options = options;
  }

  /** How many wait. */
  get waiting(): number {
    return Object.values(this.#state?.waiting ?? {}).reduce((sum, { count }) => sum + count, 0);
  }

  /** What of the delay topics has moved on, and may be deleted. */
  get moved(): readonly { readonly topic: string; readonly below: number }[] {
    return Object.entries(this.#state?.waiting ?? {}).map(([name, { next }]) => ({
      topic: this.#topicOf(name),
      below: next,
    }));
  }

  /** Resolves when Kafka has the records in their delay topics; those that were taken before are passed by. */
  take(generation: number, late: readonly LateRecord[]): Promise<number> {
    return this.#inTurn(async (before) => {
      const state = before.generation === generation ? before : { ...before, generation, takenTo: 0 };
      const fresh = late.filter(({ record }) => record.offset >= state.takenTo);
      const last = fresh.at(-1)?.record;
      if (last === undefined) return 0;
      const moves = fresh.map((each) => this.#move(this.#asLate(generation, each), each.dueAt));
      const taken = state.taken + fresh.length;
      await this.#write(moves, { ...state, taken, takenTo: last.offset + 1, takenAt: last.timestamp });
      return fresh.length;
    });
  }

  /** Moves on what has waited long enough; answers how many, and when the next will have, infinity when none waits. */
  moveOn(): Promise<{ readonly moved: number; readonly nextAt: number }> {
    return this.#inTurn(async () => {
      let moved = 0;
      for (const bucket of this.#options.buckets.waits) {
        if (this.#nextAt(bucket) <= this.#options.clock.now()) moved += await this.#moveSome(bucket);
      }
      return { moved, nextAt: Math.min(...this.#options.buckets.waits.map((bucket) => this.#nextAt(bucket))) };
    });
  }

  /** Resolves when Kafka keeps the records of unfinished jobs beside their log. */
  carry(records: readonly CarriedRecord[]): Promise<void> {
    return this.#writeCarried(records.map((each) => asCarried(each, this.#of.partition)));
  }

  /** Resolves when Kafka knows that the jobs of carried records are finished. */
  release(generation: number, offsets: readonly number[]): Promise<void> {
    return this.#writeCarried(offsets.map((offset) => asFinished(generation, offset, this.#of.partition)));
  }

  /** What is carried and not finished. From here on no bridge that had the lane before can change it. */
  carried(): Promise<CarriedRecord[]> {
    return this.#inTurn(async () => {
      const { group, reader, ensure } = this.#options;
      const topic = carriedTopic(this.#of.topic, group);
      await ensure(topic, this.#of);
      const log: KafkaRecord[] = [];
      for await (const records of readOn(
        { reader, admin: this.#options.admin },
        { topic, partition: this.#of.partition },
        0,
      ))
        log.push(...records);
      return unfinishedOf(log);
    });
  }

  #writeCarried(records: readonly OutgoingRecord[]): Promise<void> {
    return this.#inTurn(async () => {
      const topic = carriedTopic(this.#of.topic, this.#options.group);
      await this.#options.ensure(topic, this.#of);
      await this.#producer?.write(records.map((record) => ({ ...record, topic })));
    });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    await this.#producer?.stop(STOP_MS);
  }

  /** One step at a time. After one that failed it is not known what became of it: the lane is opened anew. */
  #inTurn<T>(step: (state: DelayState) => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        this.#state ??= await this.#open();
        return await step(this.#state);
      } catch (error) {
        this.#state = undefined;
        throw error;
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  async #open(): Promise<DelayState> {
    const { producer, reader, admin, ensure, group } = this.#options;
    const place = { topic: delayStateTopic(this.#of.topic, group), partition: this.#of.partition };
    this.#heads.clear();
    await ensure(place.topic, this.#of);
    await this.#producer?.stop(STOP_MS);
    this.#producer = producer();
    await this.#producer.start();
    const bounds = (await admin.bounds([place.topic])).get(partitionKey(place)) ?? NO_LOG;
    const state = (await readState(place, bounds, reader)) ?? NOTHING_TAKEN;
    return (await this.#isOfThisLog(state)) ? state : { ...state, takenTo: 0, takenAt: 0 };
  }

  /** A topic that was made anew begins again: what was taken from the old one says nothing about its records. */
  async #isOfThisLog({ takenTo, takenAt }: DelayState): Promise<boolean> {
    if (takenTo === 0) return true;
    const last = takenTo - 1;
    try {
      const [record] = await this.#options.reader.read(this.#of.topic, this.#of.partition, last, { maxRecords: 1 });
      return record?.offset === last && record.timestamp === takenAt;
    } catch (error) {
      if (!isSluiceError(error, 'OUT_OF_RANGE')) throw error;
      // Records that left the log are not read again; a log that ends below is another one, whose records are all fresh.
      return false;
    }
  }

  #topicOf(name: string): string {
    return delayTopic(this.#of.topic, this.#options.group, name);
  }

  #move(record: OutgoingRecord, dueAt: number): Move {
    const now = this.#options.clock.now();
    const { partition } = this.#of;
    return { to: bucketFor(dueAt - now, this.#options.buckets), record: { ...record, partition, timestamp: now } };
  }

  /** Its first identity goes with it: workers see the event id and the origin that it would have had at once. */
  #asLate(generation: number, { record, dueAt, queue }: LateRecord): OutgoingRecord {
    const { topic, partition } = this.#of;
    const id = `${jobIdPrefix(topic, generation, partition)}${record.offset}`;
    const headers = {
      ...firstLife({ topic, partition, offset: record.offset }, record.timestamp),
      [HISTORY.eventId]: eventIdOf({ queue, id }),
      ...record.headers,
      [LATE.due]: String(dueAt),
      [LATE.group]: this.#options.group,
    };
    return { key: record.key, value: record.value, headers };
  }

  /** When the next record of a delay topic moves on; at once when that was not looked up yet. */
  #nextAt({ name }: Bucket): number {
    const count = this.#state?.waiting[name]?.count ?? 0;
    return count === 0 ? Number.POSITIVE_INFINITY : (this.#heads.get(name) ?? 0);
  }

  async #moveSome(bucket: Bucket): Promise<number> {
    const { clock } = this.#options;
    const state = this.#state as DelayState;
    const { next, count } = state.waiting[bucket.name] as Waiting;
    const records = await this.#readWaiting(bucket, next);
    this.#heads.delete(bucket.name);
    const movesAt = ({ timestamp }: KafkaRecord) => timestamp + bucket.waitMs;
    const firstLater = records.findIndex((record) => movesAt(record) > clock.now());
    const due = firstLater < 0 ? records : records.slice(0, firstLater);
    const last = due.at(-1);
    if (last !== undefined) {
      const left = { next: last.offset + 1, count: count - due.length };
      await this.#moveAll(due, { ...state, waiting: { ...state.waiting, [bucket.name]: left } });
    }
    const head = records[due.length];
    if (head !== undefined) this.#heads.set(bucket.name, movesAt(head));
    return due.length;
  }

  /** Nobody but a lane takes records away; none are there only while a new leader of the partition catches up. */
  async #readWaiting({ name }: Bucket, next: number): Promise<readonly KafkaRecord[]> {
    const { reader, clock, onMissing } = this.#options;
    const place = { topic: this.#topicOf(name), partition: this.#of.partition };
    try {
      const records = await reader.read(place.topic, place.partition, next, { maxRecords: this.#atOnce });
      if (records.length === 0) this.#heads.set(name, clock.now() + LOOK_AGAIN_MS);
      return records;
    } catch (error) {
      const { low } = (await this.#options.admin.bounds([place.topic])).get(partitionKey(place)) ?? NO_LOG;
      if (!isSluiceError(error, 'OUT_OF_RANGE') || low <= next) throw error;
      onMissing(place, next, low);
      const state = this.#state as DelayState;
      const left = { next: low, count: await this.#countFrom(place, low) };
      await this.#write([], { ...state, waiting: { ...state.waiting, [name]: left } });
      return [];
    }
  }

  async #countFrom({ topic, partition }: TopicPartition, from: number): Promise<number> {
    for (let [count, next] = [0, from]; ; ) {
      const records = await this.#options.reader.read(topic, partition, next);
      const last = records.at(-1);
      if (last === undefined) return count;
      count += records.length;
      next = last.offset + 1;
    }
  }

  /** A record that its topic refuses, with the headers that it has now, becomes a dead letter and holds up no other. */
  async #moveAll(due: readonly KafkaRecord[], state: DelayState): Promise<void> {
    try {
      const moves = due.map((record) => this.#move(asItIs(record), dueOf(record)));
      await this.#write(moves, state);
      this.#atOnce = MOVED_AT_ONCE;
    } catch (error) {
      if (!isSluiceError(error, 'UNFIT')) throw error;
      this.#atOnce = 1;
      if (due.length > 1) throw error;
      await this.#options.refuse(state.generation, due[0] as KafkaRecord, messageOf(error));
      await this.#write([], state);
    }
  }

  /** Moves with the state that they lead to. The places of what comes to wait are known: nobody else writes there. */
  async #write(moves: readonly Move[], state: DelayState): Promise<void> {
    const { group, ensure } = this.#options;
    const { topic, partition } = this.#of;
    const buckets = new Map(moves.flatMap(({ to }) => (to === undefined ? [] : [[to.name, to]])) as [string, Bucket][]);
    for (const name of buckets.keys()) await ensure(this.#topicOf(name), this.#of);
    const waiting: Record<string, Waiting> = { ...state.waiting };
    for (const name of buckets.keys()) {
      const { next = 0, count = 0 } = waiting[name] ?? {};
      waiting[name] = { next, count: count + moves.filter(({ to }) => to?.name === name).length };
    }
    const returns = state.returns + (moves.some(({ to }) => to === undefined) ? 1 : 0);
    const after = { ...state, waiting, returns };
    await this.#producer?.write([
      ...moves.map(({ to, record }) => ({ ...record, topic: to === undefined ? topic : this.#topicOf(to.name) })),
      { ...stateRecord(partition, after), topic: delayStateTopic(topic, group) },
    ]);
    this.#state = after;
  }
}

function asItIs({ key, value, headers }: KafkaRecord): OutgoingRecord {
  return { key, value, headers };
}

/** Of a record that waits; one that anybody else has put there is due at once. */
function dueOf({ headers }: KafkaRecord): number {
  return Number(headers[LATE.due] ?? 0);
}
