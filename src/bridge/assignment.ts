/**
 * What happens between a completed join and the first record (rules 1 to 7): read what Kafka knows, claim the ledger
 * on every shard that the topic can reach, have Kafka accept a commit, and take away what a restored Redis brought back
 * although it is finished. A claim may be used only after the commit: a zombie is told so there. Where the offsets
 * make no sense the partition is halted, because guessing would drop records silently.
 */
import { SluiceError } from '../errors.ts';
import type { Bounds, Committed, GroupConsumer } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import { type Claim, isFenced } from '../queue/sink.ts';
import type { LedgerName } from '../redis/keys.ts';
import type { HeldPartition, KnownProgress } from './held-partition.ts';
import { type CommitMetadata, decodeMetadata, encodeMetadata } from './metadata.ts';
import type { Shard } from './shard.ts';

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
  /** The shards that the topic can reach. */
  readonly shards: readonly Shard[];
  /** Every configured shard. */
  readonly allShards: readonly Shard[];
}

/** What a claim found. */
export interface ClaimOutcome {
  /** Jobs of finished records that Redis had brought back. */
  readonly removed: number;
  /** Redis holds less than it was known to hold. */
  readonly isLoss: boolean;
}

/**
 * Claims once. Rejects with a retryable error when something is away; halts the partition when offsets make no sense,
 * and answers undefined then.
 */
export async function claimPartition(held: HeldPartition, context: ClaimContext): Promise<ClaimOutcome | undefined> {
  const key = partitionKey(held);
  const bounds = context.view.bounds.get(key);
  if (bounds === undefined) return halt(held, 'Kafka does not know the partition');
  const committed = context.view.committed.get(key);
  const metadata = decodeMetadata(committed?.offset ?? 0, committed?.metadata ?? '');
  const known = typeof metadata === 'object' ? metadata : undefined;
  const generation = known?.generation ?? 0;
  const start = Math.max(committed?.offset ?? bounds.low, held.committed);

  const ledger: LedgerName = { ...held, cluster: context.view.cluster, group: context.view.group };
  const claims = await claimAll(context.shards, ledger, generation);
  if (claims === undefined) return halt(held, 'a key of the ledger is of a foreign type');
  const refusal =
    outsideLog(start, bounds) ??
    (await beyondEnd(
      Math.max(known?.reached ?? -1, ...claims.map(({ claim }) => claim.enqueued)),
      bounds,
      context,
      key,
    )) ??
    disagreement(known, claims) ??
    (await misrouted(known, start, ledger, context));
  if (refusal !== undefined) return halt(held, refusal);

  held.adopt(claims, start, known ?? NOTHING_KNOWN);
  const metadataNow = encodeMetadata(start, { ...held.progress(start), fingerprint: context.fingerprint });
  await context.consumer.commit(held.epoch, [{ ...place(held), offset: start, metadata: metadataNow }]);
  const removed = await reconcileAll(held);
  if (held.isLost) return undefined;
  held.begin();
  return { removed, isLoss: held.acked < held.reached && known?.fingerprint === context.fingerprint };
}

const NOTHING_KNOWN: KnownProgress = { generation: 0, reached: -1, finished: [] };

/** Rule 6. Throws when a fence does not hold any more: then the partition is claimed again. */
async function reconcileAll(held: HeldPartition): Promise<number> {
  let removed = 0;
  for (const { shard, claim, finished } of held.shards) {
    if (claim.isReconciled) continue;
    const reply = await asked(shard, () => shard.sink.reconcile(claim, finished.ranges));
    if (isFenced(reply))
      throw new SluiceError('UNFIT', `the ledger or a queue in Redis ${shard.sink.name} is ${reply.status}`);
    removed += reply.removed;
  }
  return removed;
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
  shards: readonly Shard[],
  { topic, partition, cluster, group }: LedgerName,
  generation: number,
) {
  const ledger = { cluster, group, topic, partition };
  const claims = await Promise.all(
    shards.map(async (shard) => ({
      shard,
      claim: await asked(shard, () => shard.sink.claim(ledger, generation)),
    })),
  );
  const good = claims.filter((each): each is { shard: Shard; claim: Claim } => !('status' in each.claim));
  return good.length === claims.length ? good : undefined;
}

function outsideLog(start: number, { low, high }: Bounds): string | undefined {
  if (start >= low && start <= high) return undefined;
  const missing = start < low ? `records ${start} to ${low - 1} are gone` : `it ends before record ${start}`;
  return `the committed offset ${start} is outside the log [${low}, ${high}): ${missing}`;
}

/** The log was cut, or made anew, below what was dealt with. Others may have been enqueueing until the claim was made. */
async function beyondEnd(
  reached: number,
  { high }: Bounds,
  { boundsNow }: ClaimContext,
  key: string,
): Promise<string | undefined> {
  if (reached < high) return undefined;
  const end = (await boundsNow()).get(key)?.high ?? high;
  if (reached < end) return undefined;
  return `the log ends at ${end}, but records up to ${reached} were dealt with: it was cut, or the topic was made anew`;
}

/** Rule 2: Redis remembers the partition and Kafka does not. */
function disagreement(known: CommitMetadata | undefined, claims: readonly { claim: Claim }[]): string | undefined {
  const enqueued = Math.max(...claims.map(({ claim }) => claim.enqueued));
  if (known !== undefined || enqueued < 0) return undefined;
  return (
    `Redis has dealt with offsets up to ${enqueued}, but the group's commit holds nothing of Sluice's: ` +
    'the topic was made anew, or its offsets have expired or were reset'
  );
}

/** Rule 5: the routing has changed while records of the old one are unfinished. */
async function misrouted(
  known: CommitMetadata | undefined,
  start: number,
  ledger: LedgerName,
  { fingerprint, allShards }: ClaimContext,
): Promise<string | undefined> {
  if (known === undefined || known.fingerprint === fingerprint) return undefined;
  const claims = await claimAll(allShards, ledger, known.generation);
  const isDrained = claims?.every(({ claim }) => claim.enqueued < start) ?? false;
  if (isDrained) return undefined;
  return 'the routing to shards has changed while jobs of the old one are unfinished: drain with the old configuration first';
}
