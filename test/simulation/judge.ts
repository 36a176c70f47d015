/**
 * Knows what has become of every record, and holds against it what the bridge has Redis and Kafka believe. What it finds
 * goes into the history as its violation.
 */

import type { HeldPartition } from '../../src/bridge/held-partition.ts';
import { decodeMetadata } from '../../src/bridge/metadata.ts';
import type { Committed, RecordBatch } from '../../src/kafka/consumer.ts';
import { offsetsOf } from '../../src/queue/jobs.ts';
import type { Batch } from '../../src/queue/sink.ts';
import type { History } from './history.ts';
import type { Entry, PartitionLog } from './partition-log.ts';

/** A ledger as it is before a batch. */
export interface Ledger {
  readonly enqueued: number;
  readonly unsettled: ReadonlySet<number>;
  /** In this history of its Redis. */
  readonly created: ReadonlySet<number>;
}

/** A partition may be sent back to where it stands when something is amiss, not for ever. */
const MOST_ROUNDS = 25;

export class Judge {
  readonly #logs: readonly PartitionLog[];
  readonly #history: History;
  readonly #isCarried: (partition: number, offset: number) => boolean;

  /** Where each partition stood when a batch came, and how often in a row. */
  readonly #rounds = new Map<number, { readonly position: number; readonly count: number }>();

  constructor(
    logs: readonly PartitionLog[],
    history: History,
    isCarried: (partition: number, offset: number) => boolean,
  ) {
    this.#logs = logs;
    this.#history = history;
    this.#isCarried = isCarried;
  }

  /** Nothing is passed over, and nothing is made a second time. */
  enqueues(redis: string, partition: number, ledger: Ledger, { jobs, last }: Batch): void {
    const { enqueued, unsettled, created } = ledger;
    const offsets = new Set(offsetsOf(jobs));
    for (const entry of this.#open(partition, enqueued + 1, last + 1)) {
      const isElsewhere = entry.kind === 'job' && entry.shard !== redis;
      if (isElsewhere || offsets.has(entry.offset) || unsettled.has(entry.offset)) continue;
      this.#violated(partition, `Redis ${redis} passes over ${nameOf(entry)}: ${enqueued} to ${last}`);
    }
    const again = [...offsets].find((offset) => offset > enqueued && created.has(offset));
    if (again !== undefined) this.#violated(partition, `Redis ${redis} makes the job ${again} a second time`);
  }

  /** A partition that is given batches goes on. */
  takes({ partition, start, end }: RecordBatch, position: number): void {
    const last = this.#rounds.get(partition);
    const count = last?.position === position ? last.count + 1 : 1;
    this.#rounds.set(partition, { position, count });
    if (count <= MOST_ROUNDS) return;
    this.#violated(
      partition,
      `${count} batches did not bring it beyond ${position}, the last one of ${start} to ${end}`,
    );
  }

  /** What Kafka takes for finished is finished, or carried. */
  commits(partition: number, before: number, { offset, metadata }: Committed): void {
    const passed = this.#open(partition, before, offset).find((each) => !this.#isCarried(partition, each.offset));
    if (passed !== undefined) this.#violated(partition, `the commit of ${offset} passes ${nameOf(passed)}`);
    const told = decodeMetadata(offset, metadata);
    if (typeof told !== 'object') return;
    const wrong = told.finished.flatMap(({ start, end }) => this.#open(partition, start, end))[0];
    if (wrong !== undefined) this.#violated(partition, `the commit of ${offset} lists ${nameOf(wrong)} as finished`);
  }

  /** What the bridge takes for finished in a Redis is finished there. */
  believes({ partition, committed, shards }: HeldPartition): void {
    const { end } = this.#logs[partition] as PartitionLog;
    for (const { shard, finished } of shards) {
      const isItsOwn = ({ kind, shard: name }: Entry) => kind !== 'job' || name === shard.name;
      const wrong = this.#open(partition, committed, end).find((each) => isItsOwn(each) && finished.has(each.offset));
      if (wrong !== undefined) this.#violated(partition, `the bridge takes ${nameOf(wrong)} for finished`);
    }
  }

  /** What was never dealt with, or is not committed; undefined when everything has ended. */
  leftOver(committed: (partition: number) => number): string | undefined {
    const left = this.#logs.flatMap((log, partition) => {
      const [first] = this.#open(partition, 0, log.end);
      if (first === undefined && committed(partition) >= log.end) return [];
      const open = first === undefined ? '' : `, and there is ${nameOf(first)}`;
      return [`partition ${partition}: committed ${committed(partition)} of ${log.end}${open}`];
    });
    return left.length === 0 ? undefined : left.join('; ');
  }

  #open(partition: number, start: number, end: number): Entry[] {
    const open: Entry[] = [];
    const log = this.#logs[partition] as PartitionLog;
    for (let i = log.indexOf(start); (log.entries[i]?.offset ?? end) < end; i++) {
      const entry = log.entries[i] as Entry;
      if (!entry.isThrough) open.push(entry);
    }
    return open;
  }

  #violated(partition: number, text: string): void {
    this.#history.violated(`partition ${partition}: ${text}`, partition);
  }
}

function nameOf({ kind, offset }: Entry): string {
  return `the unfinished ${kind} ${offset}`;
}
