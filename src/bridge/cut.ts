/**
 * A fetched batch in cuts, each of which is one call to each shard, and what is planned for a cut before anything of it is
 * done: which of its records become which jobs, which are refused, which wait in delay topics.
 */
import type { Clock } from '../clock.ts';
import { jobIdPrefix } from '../job/identity.ts';
import type { Event } from '../job/job.ts';
import type { KafkaRecord, RecordBatch } from '../kafka/consumer.ts';
import type { Metrics } from '../metrics.ts';
import { countOf, textBytesOf } from '../queue/jobs.ts';
import type { Jobs, PlacedJob } from '../queue/sink.ts';
import type { Decoder, Rejection } from './decode.ts';
import type { Delays } from './delays.ts';
import type { HeldPartition } from './held-partition.ts';
import type { LateRecord } from './late-records.ts';
import type { Letters, RejectedRecord } from './letters.ts';
import type { Routed, Router } from './route.ts';
import { isFinished, mayEnqueue, type Offsets } from './rules.ts';
import type { Shard } from './shard.ts';
import type { SidekiqPacker, SidekiqPacking } from './sidekiq-packer.ts';

const CUT_RECORDS = 500;
const CUT_BYTES = 1_048_576;

/** What a topic's records go through. */
export interface Stages {
  readonly decode: Decoder;
  readonly route: Router;
  /** Of a topic whose records become Sidekiq jobs. */
  readonly packer?: SidekiqPacker | undefined;
  readonly letters: Letters;
  readonly delays: Delays;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Speaks for the log from `from` to `last`. */
export interface Cut {
  readonly from: number;
  readonly last: number;
  readonly bytes: ReadonlyMap<Shard, number>;
  readonly jobs: ReadonlyMap<string, Jobs>;
  readonly rejected: readonly RejectedRecord[];
  readonly late: readonly LateRecord[];
}

export function planCut(held: HeldPartition, { from, records, last }: CutRecords, stages: Stages): Cut {
  stages.metrics.recordsRead.inc({ topic: held.topic }, records.length);
  const plan = new Plan(held, stages);
  for (const record of records) plan.add(record);
  const { rejected, late } = plan;
  const jobs = plan.end();
  const bytes = new Map(
    held.shards.map(({ shard }) => {
      const own = jobs.get(shard.name) ?? [];
      return [shard, shard.footprint.expected(textBytesOf(own), countOf(own))];
    }),
  );
  return { from, last, bytes, jobs, rejected, late };
}

class Plan {
  readonly late: LateRecord[] = [];
  readonly rejected: RejectedRecord[] = [];
  readonly #held: HeldPartition;
  readonly #stages: Stages;
  readonly #now: number;
  readonly #idPrefix: string;
  readonly #lists: ReadonlyMap<string, PlacedJob[]>;
  readonly #packing: SidekiqPacking | undefined;
  readonly #finished: readonly Offsets[];

  constructor(held: HeldPartition, stages: Stages) {
    this.#held = held;
    this.#stages = stages;
    this.#now = stages.clock.now();
    this.#idPrefix = jobIdPrefix(held.topic, held.generation, held.partition);
    this.#lists = new Map(held.shards.map(({ shard }) => [shard.name, []]));
    this.#packing = stages.packer?.begin(this.#idPrefix, this.#now);
    this.#finished = held.shards.map(({ finished }) => finished);
  }

  /** The jobs by shard; those that are packed are all on one. */
  end(): ReadonlyMap<string, Jobs> {
    const packed = this.#packing?.end();
    return packed === undefined ? this.#lists : new Map(this.#held.shards.map(({ shard }) => [shard.name, packed]));
  }

  add(record: KafkaRecord): void {
    const { decode, delays, metrics } = this.#stages;
    if (isFinished(record.offset, this.#finished) || delays.isForOthers(record)) return;
    if (this.#packing?.takes(record)) return;
    const decoded = decode(record);
    const routed = 'reason' in decoded ? decoded : this.#route(decoded.event, record);
    if ('reason' in routed) {
      this.rejected.push({ record, rejection: routed });
      return;
    }
    if ('drift' in decoded && decoded.drift > 0) metrics.schemaDrift.inc({ message: routed.job.name });
    const target = this.#held.shards.find(({ shard }) => shard.name === routed.shard);
    if (target === undefined || !mayEnqueue(record.offset, target.finished)) return;
    const dueAt = 'event' in decoded ? delays.dueOf(decoded.event, record) : undefined;
    if (dueAt === undefined) this.#place(record.offset, routed);
    else this.late.push({ record, dueAt, queue: routed.job.queue });
  }

  #route(event: Event, { offset }: KafkaRecord): Routed | Rejection {
    return this.#stages.route(event, this.#now, `${this.#idPrefix}${offset}`);
  }

  #place(offset: number, { shard, job }: Routed): void {
    if (this.#packing !== undefined) this.#packing.add(offset, job);
    else this.#lists.get(shard)?.push({ offset, job });
  }
}

export interface CutRecords {
  readonly from: number;
  readonly records: readonly KafkaRecord[];
  /** The cut speaks for the log up to here: the last one's goes to where the fetch has gone. */
  readonly last: number;
}

/** The batch's records from `position` on. */
export function* cuts({ records: fetched, end }: RecordBatch, position: number): Generator<CutRecords> {
  const records = fetched.filter(({ offset }) => offset >= position);
  const most = evenly(records.length);
  let from = position;
  let start = 0;
  let bytes = 0;
  for (let i = 0; i < records.length; i++) {
    const size = (records[i] as KafkaRecord).value?.length ?? 0;
    if (i > start && (i - start >= most || bytes + size > CUT_BYTES)) {
      const { offset: last } = records[i - 1] as KafkaRecord;
      yield { from, records: records.slice(start, i), last };
      from = last + 1;
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (start < records.length) yield { from, records: records.slice(start), last: end - 1 };
}

/** Records of each cut, so that the last is not much smaller than the others: every cut is a call. */
function evenly(records: number): number {
  return Math.ceil(records / Math.ceil(records / CUT_RECORDS));
}
