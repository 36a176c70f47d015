/**
 * What happens between a completed join and the first record (rules 1 to 5 and 7): read what Kafka knows, claim the
 * ledger on every shard that the topic can reach, and have Kafka accept a commit. Only then may the claim be used: a
 * zombie is told so here. Where the offsets make no sense the partition is halted, because guessing would drop
 * records silently.
 */
import type { Bounds, Committed, GroupConsumer } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import type { Claim } from '../queue/sink.ts';
import type { LedgerName } from '../redis/keys.ts';
import type { HeldPartition } from './held-partition.ts';
import { type CommitMetadata, decodeMetadata, encodeMetadata } from './metadata.ts';
import { forgottenByKafka, isRoutedAnew, startOf, undrained } from './rules.ts';
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
  /** The shards that the topic can reach. */
  readonly shards: readonly Shard[];
  /** Every configured shard. */
  readonly allShards: readonly Shard[];
}

/** Claims once. Rejects with a retryable error when something is away; halts the partition when offsets make no sense. */
export async function claimPartition(held: HeldPartition, context: ClaimContext): Promise<void> {
  const key = partitionKey(held);
  const bounds = context.view.bounds.get(key);
  const committed = context.view.committed.get(key);
  const metadata = decodeMetadata(committed?.metadata ?? '');
  const known = typeof metadata === 'object' ? metadata : undefined;
  const generation = known?.generation ?? 0;
  const from = startOf(committed?.offset, held.committed, bounds);
  if ('halt' in from) return halt(held, from.halt);
  const start = from.offset;

  const ledger: LedgerName = { ...held, cluster: context.view.cluster, group: context.view.group };
  const claims = await claimAll(context.shards, ledger, generation);
  if (claims === undefined) return halt(held, 'a key of the ledger is of a foreign type');
  const refusal = forgottenByKafka(known, enqueuedOf(claims)) ?? (await misrouted(known, start, ledger, context));
  if (refusal !== undefined) return halt(held, refusal);

  const now: CommitMetadata = { generation, fingerprint: context.fingerprint };
  await context.consumer.commit(held.epoch, [{ ...place(held), offset: start, metadata: encodeMetadata(now) }]);
  if (!held.isLost) held.begin(claims, start, generation);
}

function place({ topic, partition }: HeldPartition) {
  return { topic, partition };
}

function halt(held: HeldPartition, reason: string): void {
  if (held.isLost) return;
  held.state = 'halted';
  held.haltReason = reason;
}

async function claimAll(
  shards: readonly Shard[],
  { topic, partition, cluster, group }: LedgerName,
  generation: number,
) {
  const ledger = { cluster, group, topic, partition };
  const claims = await Promise.all(
    shards.map(async (shard) => {
      try {
        return { shard, claim: await shard.sink.claim(ledger, generation) };
      } catch (error) {
        shard.failed(error);
        throw error;
      }
    }),
  );
  const good = claims.filter((each): each is { shard: Shard; claim: Claim } => !('status' in each.claim));
  return good.length === claims.length ? good : undefined;
}

function enqueuedOf(claims: readonly { claim: Claim }[]): number[] {
  return claims.map(({ claim }) => claim.enqueued);
}

async function misrouted(
  known: CommitMetadata | undefined,
  start: number,
  ledger: LedgerName,
  { fingerprint, allShards }: ClaimContext,
): Promise<string | undefined> {
  if (!isRoutedAnew(known, fingerprint)) return undefined;
  const claims = await claimAll(allShards, ledger, known.generation);
  return undrained(claims === undefined ? [Number.POSITIVE_INFINITY] : enqueuedOf(claims), start);
}
