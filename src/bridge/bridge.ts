/**
 * The bridge: Kafka topics in, queue jobs out, each record one job, committed when the job is done.
 *
 *   source > decode > route > gate > enqueue > settle > commit
 *
 * Only this file knows all the stages. Nothing that is away stops it: Redis away is a closed gate, Kafka away is
 * tried again; what it cannot judge halts one partition and says so. Killed at any moment, it loses nothing.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { BUCKETS, type Buckets } from '../job/late.ts';
import { letterTopic } from '../job/letter.ts';
import type { Treatment } from '../job/place.ts';
import { createKafkaAdmin } from '../kafka/admin.ts';
import type { KafkaConfig } from '../kafka/config.ts';
import type { GroupConsumer, KafkaAdmin } from '../kafka/consumer.ts';
import { createGroupConsumer } from '../kafka/group-consumer.ts';
import { createRecordProducer } from '../kafka/record-producer.ts';
import { createRecordReader } from '../kafka/record-reader.ts';
import { createTransactionalProducer } from '../kafka/transactional-producer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ResetOrders } from '../presence/reset-orders.ts';
import type { QueueConfig, SidekiqConfig } from '../queue/config.ts';
import type { RedisConfig } from '../redis/config.ts';
import type { Schemas } from '../schema/schemas.ts';
import { type Service, within } from '../service.ts';
import { Burials } from './burials.ts';
import { commitSettled } from './commit.ts';
import type { TopicConfig } from './config.ts';
import { Delays } from './delays.ts';
import { Flow } from './flow.ts';
import type { HeldPartition } from './held-partition.ts';
import { Holdings } from './holdings.ts';
import { createLetters, LETTER_BYTES } from './letters.ts';
import { LONG_JOB_LIMITS, type LongJobLimits, LongJobs } from './long-jobs.ts';
import { LostJobs } from './lost-jobs.ts';
import { Origins } from './origins.ts';
import { type Outcomes, outcomesIn } from './outcomes.ts';
import { ProgressWatch } from './progress.ts';
import type { Loss } from './recovery.ts';
import { Settler } from './settle.ts';
import type { Shard } from './shard.ts';
import { openShards } from './shards.ts';
import { type PlanContext, planTopics } from './topic-plan.ts';

const COMMIT_EVERY_MS = 1_000;
/** Commits are written once a second: to learn much sooner what is finished would cost Redis and help nobody. */
const SETTLE_FAST_MS = 250;
const SETTLE_SLOW_MS = 1_000;
const TOPICS_AGAIN_MS = 2_000;
const MOST_QUEUES_SHOWN = 200;

export interface BridgeConfig {
  readonly kafka: KafkaConfig;
  readonly redis: Readonly<Record<string, RedisConfig>>;
  readonly queues: Readonly<Record<string, QueueConfig>>;
  readonly sidekiq: SidekiqConfig;
  readonly topics: Readonly<Record<string, TopicConfig>>;
}

export interface BridgeOptions {
  readonly config: BridgeConfig;
  /** What the known workers say about their jobs, by message type. */
  readonly treatment: (type: string) => Treatment | undefined;
  readonly schemas: Schemas;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Where an operator's decisions about halted partitions are found. */
  readonly orders?: ResetOrders;
  /** A gate opened or closed. */
  readonly onGate?: (view: Shard['view']) => void;
  /** A partition has become ready, or is so no more. */
  readonly onPartitions?: () => void;
  /** A loss of Redis was made good. */
  readonly onLoss?: (loss: Loss) => void;
  /** Where late records wait. */
  readonly buckets?: Buckets;
  /** When the records of long jobs are carried. */
  readonly longJobLimits?: LongJobLimits;
  /** The bridge cannot go on and should be started anew. */
  readonly onFatal: (error: Error) => void;
}

/** What status and dashboard show of a running bridge. */
export interface BridgeView {
  /** Queues that it has fed, or that are configured. */
  readonly queues: readonly string[];
  readonly gates: readonly Shard['view'][];
  readonly partitions: readonly {
    readonly topic: string;
    readonly partition: number;
    readonly state: string;
    readonly haltReason: string;
    readonly committed: number;
    readonly enqueued: number;
    /** Unfinished records that the commit has passed. */
    readonly carried: number;
    /** Until Kafka may delete the oldest unfinished record; null: never, or not known yet. */
    readonly retentionLeftMs: number | null;
    /** So little is left that somebody should know. */
    readonly isRetentionShort: boolean;
  }[];
  readonly outcomes: Outcomes;
}

export interface Bridge extends Service {
  view(): BridgeView;
}

export function createBridge(options: BridgeOptions): Bridge {
  const { config, treatment, schemas, log, metrics, clock, onFatal, onGate, onPartitions, onLoss, orders } = options;
  const { buckets = BUCKETS, longJobLimits = LONG_JOB_LIMITS } = options;
  const topics = Object.keys(config.topics);
  const queues = new Set(Object.keys(config.queues));
  const sidekiqQueues = new Set<string>();
  const stopping = new AbortController();
  const { signal } = stopping;
  const loops: Promise<void>[] = [];

  const admin = createKafkaAdmin(config.kafka, log);
  const letterProducer = createRecordProducer(config.kafka, log);
  const reader = createRecordReader(config.kafka, log);
  const origins = new Origins(reader, admin);
  const letters = createLetters({ producer: letterProducer, origins, schemas, log, metrics, clock });
  const common = { log, metrics, clock, signal };

  const { groupId } = config.kafka;
  const delays = new Delays({
    ...common,
    group: groupId,
    buckets,
    held: () => holdings.all,
    producer: (name) => createTransactionalProducer(config.kafka, name, log),
    letters,
    reader,
    admin,
  });

  const shards = openShards(config, {
    ...common,
    queues: () => ({ bullmq: [...queues], sidekiq: [...sidekiqQueues] }),
    onChange: gateChanged,
  });
  const onQueue: PlanContext['onQueue'] = (queue, target) =>
    void (target === 'sidekiq' ? sidekiqQueues : queues).add(queue);
  const plan = planTopics({ config, shards, schemas, treatment, onQueue, letters, delays, metrics, clock });
  const consumerOf = (): GroupConsumer => consumer;
  const onChange = () => {
    flow.regulate();
    onPartitions?.();
  };
  const holdings = new Holdings({
    ...common,
    groupId,
    topics,
    admin,
    consumer: consumerOf,
    plan,
    shards,
    carried: (of) => delays.carried(of),
    orders,
    onLoss,
    onChange,
  });
  const onFenced = (each: HeldPartition, status: string) => holdings.reclaim(each, status);
  const burials = new Burials({ letters, metrics, log, clock, onFenced });
  const settler = new Settler({ holdings, shards, queues, burials, metrics, log, clock });
  let outcomes: Outcomes = {};
  const progress = new ProgressWatch(admin, reader);
  const carried = (of: HeldPartition) => delays.carried(of);
  const flow = new Flow({ ...common, holdings, consumer: consumerOf, plan, carried });
  const held = () => holdings.all;
  const lostJobs = new LostJobs({ ...common, holdings, shards, plan, origins, carried });
  const longJobs = new LongJobs({ ...common, limits: longJobLimits, held, delays, reader, admin });
  const consumer: GroupConsumer = createGroupConsumer({
    config: config.kafka,
    topics,
    log,
    handlers: {
      assigned: (assignment) => holdings.assigned(assignment),
      revoked: () => holdings.revoked(),
      records: (batch, control) => flow.records(batch, control),
      outOfRange: (partition) => holdings.outOfRange(partition),
      failed: onFatal,
    },
  });

  function gateChanged(shard: Shard): void {
    onGate?.(shard.view);
    flow.regulate();
  }

  async function settleLoop(): Promise<void> {
    let pauseMs = SETTLE_SLOW_MS;
    while (!signal.aborted) {
      const found = await settler.round();
      pauseMs = found > 0 ? SETTLE_FAST_MS : Math.min(SETTLE_SLOW_MS, pauseMs * 2);
      await clock.sleep(pauseMs, signal);
    }
  }

  async function commitAll(): Promise<void> {
    const fingerprint = (topic: string) => plan(topic).fingerprint;
    const present = () => admin.committed(groupId, topics);
    const onVanished = (each: HeldPartition) => holdings.vanished(each);
    await commitSettled(holdings.epoch, holdings.all, { consumer, fingerprint, present, onVanished, log });
  }

  async function commitLoop(): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(COMMIT_EVERY_MS, signal);
      await commitAll();
      holdings.tellRecovered();
      outcomes = await outcomesIn(metrics);
      await progress.look(holdings.all, clock.now()).catch(onFatal);
      // A Redis that is away takes no orders.
      await holdings.lookForReplays().catch(() => undefined);
    }
  }

  return {
    async start() {
      await Promise.all([...shards.values()].map((shard) => shard.start()));
      await makeTopics(topics, admin, { ...common, brokers: config.kafka.brokers });
      if (signal.aborted) return;
      loops.push(settleLoop(), commitLoop(), delays.run(), longJobs.run(), lostJobs.run());
      await consumer.start();
    },

    async stop(deadlineMs) {
      if (signal.aborted) return;
      stopping.abort();
      flow.holdAll();
      // A Kafka that does not answer holds up the steps that are under way; each is found out about by whoever comes next.
      await within(deadlineMs, Promise.all(loops));
      await settler.round();
      await commitAll();
      await consumer.stop(deadlineMs);
      await within(deadlineMs, flow.sent());
      await within(deadlineMs, delays.stop());
      await Promise.all([...shards.values()].map((shard) => shard.stop()));
      await Promise.all([letterProducer.stop(1_000), reader.stop(1_000), admin.stop(1_000)]);
    },

    view: () => ({
      queues: [...queues].slice(0, MOST_QUEUES_SHOWN),
      gates: [...shards.values()].map(({ view }) => view),
      partitions: holdings.all.map(partitionView),
      outcomes,
    }),
  };
}

function partitionView(held: HeldPartition): BridgeView['partitions'][number] {
  const { topic, partition, state, haltReason, committed, shards, acked, carried, retentionLeftMs, isRetentionShort } =
    held;
  return {
    topic,
    partition,
    state,
    haltReason,
    committed,
    enqueued: shards.length > 0 ? acked : -1,
    carried: carried.size,
    retentionLeftMs: Number.isFinite(retentionLeftMs) ? retentionLeftMs : null,
    isRetentionShort,
  };
}

/** The consumed topics and their dead-letter topics, where they are missing. Tries until Kafka is there. */
async function makeTopics(
  topics: readonly string[],
  admin: KafkaAdmin,
  { brokers, log, clock, signal }: { brokers: readonly string[]; log: Log; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const wanted = topics.flatMap((topic) => [
    { topic, partitions: -1 },
    { topic: letterTopic(topic), partitions: -1, config: { 'max.message.bytes': String(LETTER_BYTES) } },
  ]);
  while (!signal.aborted) {
    try {
      return await admin.ensureTopics(wanted);
    } catch (error) {
      log.warn({ brokers, reason: messageOf(error) }, 'kafka is away; trying again');
      await clock.sleep(TOPICS_AGAIN_MS, signal);
    }
  }
}
