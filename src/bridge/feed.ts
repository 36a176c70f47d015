/**
 * Stages 1 to 5 for one fetched batch: cut it, decode, route, ask the gate, write the letters, enqueue. Two cuts may
 * be on their way to a shard, also when the next batch comes. What turns out not to be acknowledged is read again from
 * Kafka; what a lost reply left behind is skipped by the ledger.
 */
import type { Clock } from '../clock.ts';
import { isSluiceError } from '../errors.ts';
import { jobIdPrefix } from '../job/identity.ts';
import type { BatchControl, KafkaRecord, RecordBatch } from '../kafka/consumer.ts';
import type { Metrics } from '../metrics.ts';
import { isFenced, type PlacedJob } from '../queue/sink.ts';
import type { Decoder } from './decode.ts';
import type { Delays } from './delays.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { LateRecord } from './late-records.ts';
import type { Letters, RejectedRecord } from './letters.ts';
import type { Router } from './route.ts';
import { afterFence, isFinished, mayEnqueue } from './rules.ts';
import type { FeedEnd, Sends } from './sends.ts';
import type { Shard } from './shard.ts';

const CUT_RECORDS = 500;
const CUT_BYTES = 1_048_576;
const CUTS_UNDER_WAY = 2;
const BEAT_MS = 1_000;

/** What a topic's records go through. */
export interface Stages {
  readonly decode: Decoder;
  readonly route: Router;
  readonly letters: Letters;
  readonly delays: Delays;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** Speaks for the log from `from` to `last`. */
interface Cut {
  readonly from: number;
  readonly last: number;
  readonly bytes: ReadonlyMap<Shard, number>;
  readonly jobs: ReadonlyMap<string, PlacedJob[]>;
  readonly rejected: readonly RejectedRecord[];
  readonly late: readonly LateRecord[];
}

const TAKEN: FeedEnd = { kind: 'taken' };
const REVOKED: FeedEnd = { kind: 'revoked' };
const AHEAD: FeedEnd = { kind: 'ahead' };

/**
 * Resolves with the last cuts on their way still (`held.sends`), unless something is amiss: then the partition's position
 * is behind what the consumer has fetched, and it has to be sent there before it goes on. Rejects only with what `heartbeat`
 * rejects with, such as that the group rebalances.
 */
export async function feed(
  held: HeldPartition,
  batch: RecordBatch,
  control: BatchControl,
  stages: Stages,
): Promise<FeedEnd> {
  // What lies between would be taken for a gap in the log.
  if (batch.start > held.position) return AHEAD;
  const { shards, sends } = held;
  // A claim made anew meanwhile starts elsewhere: the rest of this batch would leave a hole behind it (rule 8).
  // Nor may a cut go on that was left behind, writing its letters, when a heartbeat failed.
  let isOver = false;
  const isClaimed = () => !isOver && held.isReady && held.shards === shards;
  const beating = <T>(work: Promise<T>) => whileBeating(work, control, stages.clock);
  let end = TAKEN;
  try {
    for (const cut of cuts(batch, held.position)) {
      if (!control.isCurrent() || !isClaimed()) end = REVOKED;
      else end = await beating(feedCut(held, planCut(held, cut, stages), stages, isClaimed));
      if (end.kind === 'taken') await beating(sends.fewerThan(CUTS_UNDER_WAY));
      end = sends.failure ?? end;
      if (end.kind !== 'taken') break;
      await control.heartbeat();
    }
    end = sends.failure ?? end;
    if (end.kind !== 'taken') await beating(sends.fewerThan(1));
    return end;
  } catch (error) {
    end = REVOKED;
    isOver = true;
    throw error;
  } finally {
    if (end.kind !== 'taken') {
      await sends.fewerThan(1);
      takeBack(held, sends);
    } else if (isClaimed()) {
      held.passSent();
      control.resolve(held.position - 1);
    }
  }
}

/**
 * What was not acknowledged is read again from Kafka. Nothing may be on its way: what is sent from now on follows upon what
 * is acknowledged.
 */
export function takeBack(held: HeldPartition, sends: Sends): void {
  sends.failure = undefined;
  if (held.isReady && held.sends === sends) held.rewindToAcked();
}

/** A Redis that is slow to answer must not cost the membership. */
async function whileBeating<T>(work: Promise<T>, control: BatchControl, clock: Clock): Promise<T> {
  const through = new AbortController();
  // With a reason of its own, because the usual one is an exception with a stack.
  const settled = work.finally(() => through.abort('through'));
  while (!through.signal.aborted) {
    await Promise.race([settled, clock.sleep(BEAT_MS, through.signal)]);
    if (!through.signal.aborted) await control.heartbeat();
  }
  return settled;
}

async function feedCut(held: HeldPartition, cut: Cut, stages: Stages, isClaimed: () => boolean): Promise<FeedEnd> {
  for (const [shard, bytes] of cut.bytes) if (!shard.admit(bytes)) return { kind: 'closed' };
  try {
    await writeLetters(held, cut, stages);
  } catch (error) {
    return { kind: 'letters', error };
  }
  if (!isClaimed()) return REVOKED;
  try {
    await stages.delays.take(held, cut.late);
  } catch (error) {
    return { kind: 'late', error };
  }
  if (!isClaimed()) return REVOKED;
  // Meanwhile one before it may have failed, and Redis be well again.
  if (held.sends.failure !== undefined) return held.sends.failure;
  held.sends.add(send(held, cut, stages));
  return TAKEN;
}

async function writeLetters(held: HeldPartition, { rejected, last }: Cut, { letters, metrics }: Stages): Promise<void> {
  const isDue = ({ record }: RejectedRecord) => record.offset > held.letteredUpTo;
  const due = rejected.filter(isDue);
  await letters.reject(held, due);
  // A batch that was broken off meanwhile may have been read again.
  const { length: counted } = due.filter(isDue);
  held.letteredUpTo = Math.max(held.letteredUpTo, last);
  if (counted > 0) metrics.recordsSettled.inc({ topic: held.topic, outcome: 'rejected' }, counted);
}

/**
 * Every shard that the topic can reach gets a batch, empty or not: its ledger advances with the others. From this moment on
 * the next cut expects that this one has arrived, whatever becomes of it: one that is not sent leaves no hole.
 */
async function send(held: HeldPartition, cut: Cut, stages: Stages): Promise<FeedEnd> {
  if (held.shards.some((each) => leavesHole(each, cut))) return { kind: 'hole' };
  const expected = held.shards.map(reachedBy);
  for (const each of held.shards) each.sent = Math.max(each.sent, cut.last);
  const ends = await Promise.all(
    held.shards.map((each, i) => sendToShard(held, each, expected[i] as number, cut, stages)),
  );
  return ends.find(({ kind }) => kind !== 'taken') ?? TAKEN;
}

/** It never should: a last look, since the fence knows of nothing that was not sent. */
function leavesHole(target: HeldShard, { from }: Cut): boolean {
  const next = reachedBy(target) + 1;
  return from > next && target.finished.missingIn(next, from) > 0;
}

/** Scripts that were given up may have run, and brought the ledger further than what was sent since. */
function reachedBy({ sent, acked }: HeldShard): number {
  return Math.max(sent, acked);
}

async function sendToShard(
  held: HeldPartition,
  target: HeldShard,
  expected: number,
  cut: Cut,
  { metrics }: Stages,
): Promise<FeedEnd> {
  const { shard, sink } = target;
  const jobs = cut.jobs.get(shard.name) ?? [];
  const bytes = cut.bytes.get(shard) ?? 0;
  shard.sent(bytes);
  await shard.slots.take();
  try {
    if (!held.isReady || !held.shards.includes(target)) return REVOKED;
    if (!shard.isReachable) return { kind: 'closed' };
    const reply = await sink.enqueue(target.claim, expected, { jobs, last: cut.last });
    if (reply.status === 'refused') return { kind: 'refused', queue: reply.queue, why: reply.why };
    // A reply to a claim that was made anew meanwhile says nothing about the new one.
    if (!held.shards.includes(target)) return REVOKED;
    if (isFenced(reply)) {
      const isResend = afterFence(reply.status, { acked: target.acked, expected, isPresent: true }) === 'resend';
      return isResend ? { kind: 'closed' } : { kind: 'disowned', status: reply.status };
    }
    target.acked = Math.max(target.acked, reply.enqueued);
    // What became no job here, letters and gaps of the log included, is settled.
    const unfinished = sink.isTracked ? jobs.map(({ offset }) => offset) : [];
    target.finished.addExcept(cut.from, cut.last + 1, unfinished);
    if (!sink.isTracked) metrics.recordsSettled.inc({ topic: held.topic, outcome: 'enqueued' }, reply.created);
    shard.enqueued(reply, textBytesOf(jobs));
    held.recovery?.enqueued(jobs, reply);
    countJobs(metrics, held.topic, jobs);
    return TAKEN;
  } catch (error) {
    shard.failed(error);
    if (!isSluiceError(error)) throw error;
    return { kind: 'closed' };
  } finally {
    shard.slots.give();
    shard.answered(bytes);
  }
}

function countJobs(metrics: Metrics, topic: string, jobs: readonly PlacedJob[]): void {
  const counts = new Map<string, number>();
  for (const { job } of jobs) counts.set(job.queue, (counts.get(job.queue) ?? 0) + 1);
  for (const [queue, count] of counts) metrics.jobsEnqueued.inc({ topic, queue }, count);
}

function planCut(held: HeldPartition, { from, records, last }: CutRecords, stages: Stages): Cut {
  const { decode, route, delays, metrics, clock } = stages;
  metrics.recordsRead.inc({ topic: held.topic }, records.length);
  const now = clock.now();
  const idPrefix = jobIdPrefix(held.topic, held.generation, held.partition);
  const late: LateRecord[] = [];
  const jobs = new Map<string, PlacedJob[]>(held.shards.map(({ shard }) => [shard.name, []]));
  const rejected: RejectedRecord[] = [];
  const finished = held.shards.map((each) => each.finished);
  for (const record of records) {
    if (isFinished(record.offset, finished) || delays.isForOthers(record)) continue;
    const decoded = decode(record);
    const routed = 'reason' in decoded ? decoded : route(decoded.event, now, `${idPrefix}${record.offset}`);
    if ('reason' in routed) {
      rejected.push({ record, rejection: routed });
      continue;
    }
    if ('drift' in decoded && decoded.drift > 0) metrics.schemaDrift.inc({ message: routed.job.name });
    const target = held.shards.find(({ shard }) => shard.name === routed.shard);
    if (target === undefined || !mayEnqueue(record.offset, target.finished)) continue;
    const dueAt = 'event' in decoded ? delays.dueOf(decoded.event, record) : undefined;
    if (dueAt !== undefined) {
      late.push({ record, dueAt, queue: routed.job.queue });
      continue;
    }
    jobs.get(routed.shard)?.push({ offset: record.offset, job: routed.job });
  }
  const bytes = new Map(
    held.shards.map(({ shard }) => {
      const own = jobs.get(shard.name) ?? [];
      return [shard, shard.footprint.expected(textBytesOf(own), own.length)];
    }),
  );
  return { from, last, bytes, jobs, rejected, late };
}

function textBytesOf(jobs: readonly PlacedJob[]): number {
  return jobs.reduce((sum, { job }) => sum + job.data.length, 0);
}

interface CutRecords {
  readonly from: number;
  readonly records: readonly KafkaRecord[];
  /** The cut speaks for the log up to here: the last one's goes to where the fetch has gone. */
  readonly last: number;
}

function* cuts({ records: fetched, end }: RecordBatch, position: number): Generator<CutRecords> {
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
