/**
 * Stage 6: learns by looking which jobs are finished (rules 12 to 14). Each look answers for a range of offsets; one
 * starts at the bottom, and goes on while it finds work done, a second one visits everything in turn, so that slow
 * jobs at the bottom hide nothing. Dead jobs get their letter, then leave the queue.
 */
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type DeadJob, type Fenced, type Inspected, isFenced } from '../queue/sink.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { Letters } from './letters.ts';
import { concluded } from './rules.ts';

const LOOK_JOBS = 512;
const LOOKS_PER_ROUND = 40;

export interface SettleContext {
  readonly letters: Letters;
  readonly metrics: Metrics;
  readonly log: Log;
  /** The fence no longer holds. */
  readonly onFenced: (held: HeldPartition, status: string) => void;
}

/** One round over one partition; answers how many jobs it found finished. */
export async function settleRound(held: HeldPartition, context: SettleContext): Promise<number> {
  const found = await Promise.all(held.shards.map((each) => settleShard(held, each, context)));
  return found.reduce((sum, each) => sum + each, 0);
}

async function settleShard(held: HeldPartition, target: HeldShard, context: SettleContext): Promise<number> {
  let found = 0;
  let from = target.finished.nextMissing(held.committed);
  for (let look = 0; look < LOOKS_PER_ROUND; look++) {
    const seen = await lookAt(held, target, from, context);
    if (seen === undefined) return found;
    const settled = seen.completed + seen.absent;
    found += settled;
    if (settled === 0 || settled < seen.unsettled.length || seen.end > seen.enqueued) break;
    from = seen.end;
  }
  found += await visitNext(held, target, from, context);
  return found;
}

/** The second look: one step of the way round. */
async function visitNext(
  held: HeldPartition,
  target: HeldShard,
  bottom: number,
  context: SettleContext,
): Promise<number> {
  if (target.acked < bottom + LOOK_JOBS) return 0;
  const seen = await lookAt(held, target, Math.max(target.cursor, bottom), context);
  if (seen === undefined) return 0;
  target.cursor = seen.end > seen.enqueued ? 0 : seen.end;
  return seen.completed + seen.absent;
}

async function lookAt(
  held: HeldPartition,
  target: HeldShard,
  from: number,
  context: SettleContext,
): Promise<Inspected | undefined> {
  if (!held.isReady || !target.shard.isReachable) return undefined;
  const { claim } = target;
  let reply: Inspected | Fenced;
  try {
    reply = await target.shard.sink.inspect(claim, target.acked, from, LOOK_JOBS);
  } catch (error) {
    target.shard.failed(error);
    return undefined;
  }
  // A reply to an earlier claim is ignored.
  if (!held.isReady || !held.shards.includes(target)) return undefined;
  if (isFenced(reply)) {
    context.onFenced(held, reply.status);
    return undefined;
  }
  conclude(held, target, reply, context);
  return reply;
}

function conclude(held: HeldPartition, target: HeldShard, reply: Inspected, context: SettleContext): void {
  const { metrics } = context;
  const { topic } = held;
  target.shard.read(reply.usedBytes);
  const { start, end, except } = concluded(reply);
  target.finished.addExcept(start, end, except);
  if (reply.completed > 0) metrics.recordsSettled.inc({ topic, outcome: 'completed' }, reply.completed);
  if (reply.absent > 0) metrics.recordsSettled.inc({ topic, outcome: 'absent' }, reply.absent);
  for (const dead of reply.dead) void bury(held, target, dead, context);
}

/** Rule 14. A letter that is refused is tried again at a later look; the job stays dead and unsettled until then. */
async function bury(held: HeldPartition, target: HeldShard, dead: DeadJob, context: SettleContext): Promise<void> {
  const { sink } = target.shard;
  if (held.burying.has(dead.offset)) return;
  held.burying.add(dead.offset);
  try {
    const report = await sink.report(target.claim, dead);
    if (report === undefined || !held.isReady) return;
    await context.letters.bury(held, dead, report);
    if (!held.isReady) return;
    const buried = await sink.bury(target.claim, target.acked, dead);
    if (typeof buried === 'object') return context.onFenced(held, buried.status);
    if (!buried) return;
    target.finished.add(dead.offset, dead.offset + 1);
    context.metrics.recordsSettled.inc({ topic: held.topic, outcome: 'dead' });
  } catch (error) {
    context.log.error(
      { err: error, topic: held.topic, partition: held.partition, offset: dead.offset },
      'a dead job waits for its letter',
    );
  } finally {
    held.burying.delete(dead.offset);
  }
}
