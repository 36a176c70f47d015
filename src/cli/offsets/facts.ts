/** What Kafka and Redis say about each partition of a topic, side by side. Reads only. */
import { fingerprint } from '../../bridge/fingerprint.ts';
import { type CommitMetadata, decodeMetadata } from '../../bridge/metadata.ts';
import { type Nonsense, nonsenseIn, type PartitionFacts } from '../../bridge/offset-sense.ts';
import type { LedgerJobs } from '../../bridge/reset-plan.ts';
import { reachableShards } from '../../bridge/route.ts';
import { SluiceError } from '../../errors.ts';
import type { KafkaAdmin, TopicPartition } from '../../kafka/consumer.ts';
import { type HeardBeacon, isSilent, readBeacons } from '../../presence/beacons.ts';
import { type Redis, redisError } from '../../redis/connection.ts';
import { type LedgerView, peekLedger } from '../../redis/peek.ts';
import { suggestion } from '../../suggest.ts';
import { type Config, DEFAULT_REDIS } from '../config/schema.ts';

export interface OffsetsAccess {
  readonly config: Config;
  readonly admin: KafkaAdmin;
  /** By configured name. */
  readonly redis: ReadonlyMap<string, Redis>;
}

export interface PartitionView extends TopicPartition {
  readonly facts: PartitionFacts;
  readonly jobs: LedgerJobs;
  readonly ledgers: readonly (LedgerView & { readonly redis: string })[];
  /** Of the routing as it is configured. */
  readonly fingerprint: string;
  readonly nonsense: Nonsense | undefined;
  /** What the bridge that holds the partition says of it; undefined: none does. */
  readonly held: { readonly state: string; readonly haltReason: string } | undefined;
}

export async function lookAt(access: OffsetsAccess, asked: string | undefined): Promise<PartitionView[]> {
  const { config, admin, redis } = access;
  const { groupId } = config.kafka;
  const topics = topicsOf(config, asked);
  const existing = new Set(await admin.topics());
  const present = topics.filter((topic) => existing.has(topic));
  if (asked !== undefined && present.length === 0) throw new SluiceError('UNFIT', `Kafka has no topic ${asked}`);
  const [cluster, committed, beacons] = await Promise.all([
    admin.clusterId(),
    present.length === 0 ? new Map() : admin.committed(groupId, present),
    readBeacons(redis.get(DEFAULT_REDIS) as Redis, groupId).catch((error: unknown) => {
      throw redisError(DEFAULT_REDIS, error);
    }),
  ]);
  const bounds = await admin.bounds(present);
  const views = [...bounds].map(async ([key, ends]): Promise<PartitionView> => {
    const [topic, partition] = [key.slice(0, key.lastIndexOf('/')), Number(key.slice(key.lastIndexOf('/') + 1))];
    const shards = reachableShards(config.topics[topic] as Config['topics'][string], config);
    const name = { cluster, group: groupId, topic, partition };
    const ledgers = await Promise.all(
      shards.map(async (shard) => ({
        redis: shard,
        ...(await peekLedger(redis.get(shard) as Redis, shard, name)),
      })),
    );
    const commit = committed.get(key);
    const known = commit && knownOf(decodeMetadata(commit.offset, commit.metadata));
    const facts = { bounds: ends, committed: commit?.offset, known, ledgers };
    const print = fingerprint(config.topics[topic] as Config['topics'][string], shards, config.queues);
    const jobs = jobsOf(ledgers);
    const nonsense = nonsenseIn(facts);
    return { topic, partition, facts, jobs, ledgers, fingerprint: print, nonsense, held: heldBy(beacons, key) };
  });
  return (await Promise.all(views)).sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  );
}

function topicsOf({ topics }: Config, asked: string | undefined): string[] {
  const known = Object.keys(topics);
  if (asked === undefined) return known;
  if (known.includes(asked)) return [asked];
  throw new SluiceError(
    'USAGE',
    `--topic: ${asked} is not consumed${suggestion(asked, known)}; consumed: ${known.join(', ')}`,
  );
}

function knownOf(metadata: CommitMetadata | 'none' | 'foreign'): CommitMetadata | undefined {
  return typeof metadata === 'object' ? metadata : undefined;
}

function jobsOf(ledgers: readonly LedgerView[]): LedgerJobs {
  const lowest = ledgers.map(({ lowestUnsettled }) => lowestUnsettled).filter((offset) => offset >= 0);
  return {
    unsettled: ledgers.reduce((sum, { unsettled }) => sum + unsettled, 0),
    lowestUnsettled: lowest.length === 0 ? -1 : Math.min(...lowest),
  };
}

interface HeldPart extends TopicPartition {
  readonly state: string;
  readonly haltReason: string;
}

function heldBy(beacons: readonly HeardBeacon[], key: string): PartitionView['held'] {
  const parts = beacons
    .filter((beacon) => beacon.role === 'bridge' && !isSilent(beacon))
    .flatMap(({ detail }) => (detail as { partitions?: readonly HeldPart[] } | null)?.partitions ?? []);
  const found = parts.find(({ topic, partition }) => `${topic}/${partition}` === key);
  return found && { state: found.state, haltReason: found.haltReason };
}
