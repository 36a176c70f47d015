/**
 * The late records of one partition: taken out of its log into delay topics, and moved on until they are back at the end
 * of the log, near their time. Each step is one transaction of the records with the state that says that it was made, so
 * each record is in exactly one place, whenever a bridge dies.
 *
 * A crash before a transaction's end leaves nothing of it; after it, the step is made, and the state tells so to who reads
 * the same records again: a late record below `takenTo` is passed by. What is late must therefore not depend on the time
 * at which it is read: see `dueOf` in delays.ts.
 */
import type { Clock } from '../clock.ts';
import { isSluiceError, messageOf } from '../errors.ts';
import { eventIdOf } from '../job/event-id.ts';
import { jobIdPrefix } from '../job/identity.ts';
import { type Bucket, type Buckets, bucketFor, delayTopic, LATE } from '../job/late.ts';
import { firstLife, HISTORY } from '../job/letter.ts';
import { type KafkaRecord, type OutgoingRecord, partitionKey, type TopicPartition } from '../kafka/consumer.ts';
import { readOn } from '../kafka/letters/survey.ts';
import type { DelayState, Waiting } from './delay-state.ts';
import { type Lane, NO_LOG } from './lane.ts';

const MOVED_AT_ONCE = 500;
const LOOK_AGAIN_MS = 1_000;

export interface LateRecord {
  readonly record: KafkaRecord;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly queue: string;
}

export interface LateOptions {
  readonly buckets: Buckets;
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

export class LateRecords {
  readonly #lane: Lane;
  readonly #options: LateOptions;
  /** When the next record of a bucket moves on, where that was looked up since the lane was opened. */
  readonly #heads = new Map<string, number>();
  #openings = 0;
  #atOnce = MOVED_AT_ONCE;

  constructor(lane: Lane, options: LateOptions) {
    this.#lane = lane;
    this.#options = options;
  }

  /** How many wait. */
  get waiting(): number {
    return Object.values(this.#lane.state.waiting).reduce((sum, { count }) => sum + count, 0);
  }

  /** What of the delay topics has moved on, and may be deleted. */
  get moved(): readonly { readonly topic: string; readonly below: number }[] {
    const waiting = Object.entries(this.#lane.state.waiting);
    return waiting.map(([name, { next }]) => ({ topic: this.#topicOf(name), below: next }));
  }

  /** Resolves when Kafka has the records in their delay topics; those that were taken before are passed by. */
  take(generation: number, late: readonly LateRecord[]): Promise<number> {
    return this.#lane.inTurn(async () => {
      const { state } = this.#lane;
      const takenTo = state.generation === generation ? state.takenTo : 0;
      const fresh = late.filter(({ record }) => record.offset >= takenTo);
      const last = fresh.at(-1)?.record;
      if (last === undefined) return 0;
      const moves = fresh.map((each) => this.#move(this.#asLate(generation, each), each.dueAt));
      const taken = {
        generation,
        takenTo: last.offset + 1,
        takenAt: last.timestamp,
        taken: state.taken + fresh.length,
      };
      await this.#write(moves, { ...state, ...taken });
      return fresh.length;
    });
  }

  /** Moves on what has waited long enough; answers how many, and when the next will have, infinity when none waits. */
  moveOn(): Promise<{ readonly moved: number; readonly nextAt: number }> {
    const { buckets, clock } = this.#options;
    return this.#lane.inTurn(async () => {
      if (this.#openings !== this.#lane.openings) this.#heads.clear();
      this.#openings = this.#lane.openings;
      let moved = 0;
      for (const bucket of buckets.waits)
        if (this.#nextAt(bucket) <= clock.now()) moved += await this.#moveSome(bucket);
      return { moved, nextAt: Math.min(...buckets.waits.map((bucket) => this.#nextAt(bucket))) };
    });
  }

  #topicOf(name: string): string {
    return delayTopic(this.#lane.of.topic, this.#lane.options.group, name);
  }

  #move(record: OutgoingRecord, dueAt: number): Move {
    const now = this.#options.clock.now();
    const { partition } = this.#lane.of;
    return { to: bucketFor(dueAt - now, this.#options.buckets), record: { ...record, partition, timestamp: now } };
  }

  /** Its first identity goes with it: workers see the event id and the origin that it would have had at once. */
  #asLate(generation: number, { record, dueAt, queue }: LateRecord): OutgoingRecord {
    const { topic, partition } = this.#lane.of;
    const id = `${jobIdPrefix(topic, generation, partition)}${record.offset}`;
    const headers = {
      ...firstLife({ topic, partition, offset: record.offset }, record.timestamp),
      [HISTORY.eventId]: eventIdOf({ queue, id }),
      ...record.headers,
      [LATE.due]: String(dueAt),
      [LATE.group]: this.#lane.options.group,
    };
    return { key: record.key, value: record.value, headers };
  }

  /** When the next record of a delay topic moves on; at once when that was not looked up yet. */
  #nextAt({ name }: Bucket): number {
    const count = this.#lane.state.waiting[name]?.count ?? 0;
    return count === 0 ? Number.POSITIVE_INFINITY : (this.#heads.get(name) ?? 0);
  }

  async #moveSome(bucket: Bucket): Promise<number> {
    const { clock } = this.#options;
    const { state } = this.#lane;
    const { next, count } = state.waiting[bucket.name] as Waiting;
    this.#heads.delete(bucket.name);
    const records = await this.#readWaiting(bucket, next);
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
    const { reader, admin } = this.#lane.options;
    const place = { topic: this.#topicOf(name), partition: this.#lane.of.partition };
    try {
      const records = await reader.read(place.topic, place.partition, next, { maxRecords: this.#atOnce });
      if (records.length === 0) this.#heads.set(name, this.#options.clock.now() + LOOK_AGAIN_MS);
      return records;
    } catch (error) {
      const { low } = (await admin.bounds([place.topic])).get(partitionKey(place)) ?? NO_LOG;
      if (!isSluiceError(error, 'OUT_OF_RANGE') || low <= next) throw error;
      await this.#goOnAt(low, name, place, next);
      return [];
    }
  }

  async #goOnAt(low: number, name: string, place: TopicPartition, next: number): Promise<void> {
    this.#options.onMissing(place, next, low);
    let count = 0;
    for await (const records of readOn(this.#lane.options, place, low)) count += records.length;
    const { state } = this.#lane;
    await this.#lane.write([], { ...state, waiting: { ...state.waiting, [name]: { next: low, count } } });
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
      await this.#lane.write([], state);
    }
  }

  /** Where the records come to wait is known: nobody else writes there. */
  async #write(moves: readonly Move[], state: DelayState): Promise<void> {
    const records = moves.map(({ to, record }) => ({
      ...record,
      topic: to === undefined ? this.#lane.of.topic : this.#topicOf(to.name),
    }));
    const returns = state.returns + (moves.some(({ to }) => to === undefined) ? 1 : 0);
    await this.#lane.write(records, { ...state, returns, waiting: withArrivals(state.waiting, moves) });
  }
}

function withArrivals(before: DelayState['waiting'], moves: readonly Move[]): DelayState['waiting'] {
  const waiting: Record<string, Waiting> = { ...before };
  for (const { to } of moves) {
    if (to === undefined) continue;
    const { next = 0, count = 0 } = waiting[to.name] ?? {};
    waiting[to.name] = { next, count: count + 1 };
  }
  return waiting;
}

function asItIs({ key, value, headers }: KafkaRecord): OutgoingRecord {
  return { key, value, headers };
}

/** Of a record that waits; one that anybody else has put there is due at once. */
function dueOf({ headers }: KafkaRecord): number {
  return Number(headers[LATE.due] ?? 0);
}
