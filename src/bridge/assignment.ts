/**
 * What happens between a completed join and the first record (rules 1 to 7): read what Kafka knows, claim the ledger
 * on every shard that the topic can reach, have Kafka accept a commit, and take away what a restored Redis brought back
 * although it is finished. A claim may be used only after the commit: a zombie is told so there. Where the offsets
 * make no sense the partition is halted, because guessing would drop records silently.
 */
import { SluiceError } from '../errors.ts';
import type { Bounds, Committed, GroupConsumer } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import { isFenced } from '../queue/sink.ts';
import type { LedgerName } from '../redis/keys.ts';
import type { CarriedRecord } from './carried.ts';
import type { ClaimedOutlet, HeldPartition, KnownProgress } from './held-partition.ts';
import { type CommitMetadata, decodeMetadata, encodeMetadata } from './metadata.ts';
import { CORRUPT, cutBelow, forgotten, type Nonsense, newerLedger, outsideLog } from './offset-sense.ts';
import type { LossFound } from './recovery.ts';
import { isRoutedAnew, startOf, undrained } from './rules.ts';
import type { Outlet, Shard } from './shard.ts';

/** What Kafka knew at the time of the join. */
export interface KafkaView {
  readonly cluster: string;
  readonly group: string;
  readonly committed: ReadonlyMap<string, Committed>;
  readonly bounds: ReadonlyMap<string, Bounds>;
}

export interface ClaimContext {
  readonly consumer: GroupConsumer;
  readonly view: KafkaView;
  readonly fingerprint: string;
  /** Asks Kafka again for the ends of the logs. */
  readonly boundsNow: () => Promise<ReadonlyMap<string, Bounds>>;
  /** Unfinished, although the commit may have passed them. */
  readonly carried: readonly CarriedRecord[];
  /** Those that the topic can reach. */
  readonly outlets: readonly Outlet[];
  /** One in every configured shard. */
  readonly allOutlets: readonly Outlet[];
}

/** What a claim found. */
export interface ClaimOutcome {
  /** Jobs of finished records that Redis had brought back. */
  readonly removed: number;
  /** Where Redis holds less than it was known to hold. */
  readonly loss: Omit<LossFound, 'at'> | undefined;
}

/**
 * Claims once. Rejects with a retryable error when something is away; halts the partition when offsets make no sense,
 * and answers undefined then.
 */
export async function claimPartition(held: HeldPartition, context: ClaimContext): Promise<ClaimOutcome | undefined> {
  // To learn what is carried takes its time; another bridge may have the partition by now.
  if (held.isLost) return undefined;
  const key = partitionKey(held);
  const bounds = context.view.bounds.get(key);
  if (bounds === undefined) return halt(held, 'Kafka does not know the partition');
  const committed = context.view.committed.get(key);
  const metadata = decodeMetadata(committed?.offset ?? 0, committed?.metadata ?? '');
  const known = typeof metadata === 'object' ? metadata : undefined;
  const generation = known?.generation ?? 0;
  const start = startOf(committed?.offset, held.committed, bounds.low);

  const ledger: LedgerName = { ...held, cluster: context.view.cluster, group: context.view.group };
  const claims = await claimAll(context.outlets, ledger, generation);
  if ('reason' in claims) return halt(held, claims.reason);
  const enqueued = Math.max(...claims.map(({ claim }) => claim.enqueued));
  const nonsense =
    outsideLog(start, bounds) ??
    (await beyondEnd(Math.max(known?.reached ?? -1, enqueued), bounds, context, key)) ??
    forgotten(known, enqueued);
  const refusal = nonsense?.reason ?? (await misrouted(known, start, ledger, context));
  if (refusal !== undefined) return halt(held, refusal);

  held.carried = new Set(
    context.carried.filter((each) => each.generation === generation).map(({ record }) => record.offset),
  );
  held.adopt(claims, start, known ?? NOTHING_KNOWN);
  const metadataNow = encodeMetadata(start, { ...held.progress(start), fingerprint: context.fingerprint });
  await context.consumer.commit(held.epoch, [{ ...place(held), offset: start, metadata: metadataNow }]);
  held.wasCommitted(start, metadataNow);
  const removed = await reconcileAll(held);
  if (held.isLost) return undefined;
  const { reached, acked: left } = held;
  const isLoss = left < reached && known?.fingerprint === context.fingerprint;
  if (isLoss) await passFinished(held);
  if (held.isLost) return undefined;
  held.begin();
  return { removed, loss: isLoss ? { reached, left } : undefined };
}

const NOTHING_KNOWN: KnownProgress = { generation: 0, reached: -1, finished: [] };

/** Rule 6. Throws when a fence does not hold any more: then the partition is claimed again. */
async function reconcileAll(held: HeldPartition): Promise<number> {
  let removed = 0;
  for (const { shard, sink, claim, finished } of held.shards) {
    if (claim.isReconciled) continue;
    const reply = await asked(shard, () => sink.reconcile(claim, finished.ranges));
    if (isFenced(reply))
      throw new SluiceError('UNFIT', `the ledger or a queue in Redis ${shard.name} is ${reply.status}`);
    removed += reply.removed;
  }
  return removed;
}

/**
 * After a loss: what the commit has passed is enqueued again only where a job of it is carried. Otherwise the ledgers are
 * told that it is dealt with, or they would lack it for as long as nothing new comes. Throws as reconcileAll does.
 */
async function passFinished(held: HeldPartition): Promise<void> {
  if (held.lowestLost !== undefined) return;
  const last = held.committed - 1;
  for (const each of held.shards.filter(({ acked }) => acked < last)) {
    const { shard, sink, claim, acked } = each;
    const reply = await asked(shard, () => sink.enqueue(claim, acked, { jobs: [], last }));
    if (reply.status !== 'ok') throw new SluiceError('UNFIT', `the ledger in Redis ${shard.name} is ${reply.status}`);
    each.acked = reply.enqueued;
    each.sent = reply.enqueued;
  }
}

async function asked<T>(shard: Shard, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    shard.failed(error);
    throw error;
  }
}

function place({ topic, partition }: HeldPartition) {
  return { topic, partition };
}

function halt(held: HeldPartition, reason: string): undefined {
  if (held.isLost) return undefined;
  held.state = 'halted';
  held.haltReason = reason;
  return undefined;
}

async function claimAll(
  outlets: readonly Outlet[],
  { topic, partition, cluster, group }: LedgerName,
  generation: number,
): Promise<Nonsense | ClaimedOutlet[]> {
  const ledger = { cluster, group, topic, partition };
  const claims = await Promise.all(
    outlets.map(async ({ shard, sink }) => ({
      shard,
      sink,
      claim: await asked(shard, () => sink.claim(ledger, generation)),
    })),
  );
  const good: ClaimedOutlet[] = [];
  for (const { claim, ...outlet } of claims) {
    if (!('status' in claim)) good.push({ ...outlet, claim });
    else return newerLedger(generation, claim.status === 'newer' ? claim.generation : -1) ?? CORRUPT;
  }
  return good;
}

/** The log was cut, or made anew, below what was dealt with. Others may have been enqueueing until the claim was made. */
async function beyondEnd(
  reached: number,
  { high }: Bounds,
  { boundsNow }: ClaimContext,
  key: string,
): Promise<Nonsense | undefined> {
  if (reached < high) return undefined;
  return cutBelow(reached, (await boundsNow()).get(key)?.high ?? high);
}

/** Rule 5: the routing has changed while records of the old one are unfinished. */
async function misrouted(
  known: CommitMetadata | undefined,
  start: number,
  ledger: LedgerName,
  { fingerprint, allOutlets, carried }: ClaimContext,
): Promise<string | undefined> {
  if (!isRoutedAnew(known, fingerprint)) return undefined;
  const claims = await claimAll(allOutlets, ledger, known.generation);
  const isUnclear = 'reason' in claims || carried.length > 0;
  return undrained(isUnclear ? [Number.POSITIVE_INFINITY] : claims.map(({ claim }) => claim.enqueued), start);
}
