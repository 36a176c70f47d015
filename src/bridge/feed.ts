/**
 * Stages 1 to 5 for one fetched batch: cut it, decode, route, ask the gate, write the letters, enqueue. Two cuts may
 * be on their way to a shard, also when the next batch comes. What turns out not to be acknowledged is read again from
 * Kafka; what a lost reply left behind is skipped by the ledger.
 */
import type { Clock } from '../clock.ts';
import { PlainEnd } from '../end-signal.ts';
import { isSluiceError } from '../errors.ts';
import type { BatchControl, RecordBatch } from '../kafka/consumer.ts';
import type { Metrics } from '../metrics.ts';
import { countsByQueue, offsetsOf, textBytesOf } from '../queue/jobs.ts';
import { isFenced, type Jobs } from '../queue/sink.ts';
import { type Cut, cuts, planCut, type Stages } from './cut.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { RejectedRecord } from './letters.ts';
import { afterFence } from './rules.ts';
import type { FeedEnd, Sends } from './sends.ts';

const CUTS_UNDER_WAY = 2;
const BEAT_MS = 1_000;

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
  const through = new PlainEnd();
  const settled = work.finally(() => through.abort('through'));
  while (!through.aborted) {
    await Promise.race([settled, clock.sleep(BEAT_MS, through)]);
    if (!through.aborted) await control.heartbeat();
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
    const unfinished = sink.isTracked ? offsetsOf(jobs) : [];
    target.finished.addExcept(cut.from, cut.last + 1, unfinished);
    if (!sink.isTracked) metrics.recordsSettled.inc({ topic: held.topic, outcome: 'enqueued' }, reply.created);
    shard.enqueued(reply, textBytesOf(jobs));
    held.recovery?.enqueued(offsetsOf(jobs), reply);
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

function countJobs(metrics: Metrics, topic: string, jobs: Jobs): void {
  for (const [queue, count] of countsByQueue(jobs)) metrics.jobsEnqueued.inc({ topic, queue }, count);
}
