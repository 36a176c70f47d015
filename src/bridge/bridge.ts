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
import type { Treatment } from '../job/place.ts';
import { createKafkaAdmin } from '../kafka/admin.ts';
import type { KafkaConfig } from '../kafka/config.ts';
import type { Assignment, BatchControl, GroupConsumer, RecordBatch } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import { createGroupConsumer } from '../kafka/group-consumer.ts';
import { createRecordProducer } from '../kafka/record-producer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { QueueConfig } from '../queue/config.ts';
import type { RedisConfig } from '../redis/config.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { Service } from '../service.ts';
import { claimPartition, type KafkaView } from './assignment.ts';
import { commitSettled } from './commit.ts';
import type { TopicConfig } from './config.ts';
import { createDecoder } from './decode.ts';
import { type FeedEnd, feed, type Stages } from './feed.ts';
import { fingerprint } from './fingerprint.ts';
import { HeldPartition } from './held-partition.ts';
import { createLetters, LETTER_BYTES, letterTopic } from './letters.ts';
import { createRouter, reachableShards } from './route.ts';
import { settleRound } from './settle.ts';
import type { Shard } from './shard.ts';
import { openShards } from './shards.ts';

const COMMIT_EVERY_MS = 1_000;
const SETTLE_FAST_MS = 20;
const SETTLE_SLOW_MS = 500;
const HOLD_BACK_MS = 2_000;
const CLAIM_AGAIN_MS = 500;
const MOST_QUEUES_SHOWN = 200;

export interface BridgeConfig {
  readonly kafka: KafkaConfig;
  readonly redis: Readonly<Record<string, RedisConfig>>;
  readonly queues: Readonly<Record<string, QueueConfig>>;
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
  /** A gate opened or closed. */
  readonly onGate?: (view: Shard['view']) => void;
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
  }[];
}

export interface Bridge extends Service {
  view(): BridgeView;
}

export function createBridge(options: BridgeOptions): Bridge {
  const { config, treatment, schemas, log, metrics, clock, onFatal } = options;
  const topics = Object.keys(config.topics);
  const held = new Map<string, HeldPartition>();
  const stopping = new AbortController();
  const loops: Promise<void>[] = [];
  let epoch = 0;

  const admin = createKafkaAdmin(config.kafka, log);
  const letterProducer = createRecordProducer(config.kafka, log);
  const letters = createLetters(letterProducer, metrics);
  const seenQueues = new Set(Object.keys(config.queues));
  const shards = openShards(config, {
    queues: () => [...seenQueues],
    onChange: (shard) => {
      options.onGate?.(shard.view);
      regulate();
    },
    log,
    metrics,
    clock,
  });
  const consumer: GroupConsumer = createGroupConsumer({
    config: config.kafka,
    topics,
    log,
    handlers: { assigned, revoked, records, failed: onFatal },
  });

  const plans = new Map(topics.map((topic) => [topic, planOf(topic)]));

  function planOf(topic: string) {
    const settings = config.topics[topic] as TopicConfig;
    const reachable = reachableShards(settings, config.queues);
    const router = createRouter(settings, reachable, { queues: config.queues, treatment });
    const stages: Stages = {
      decode: createDecoder(settings, schemas),
      route: (event, now) => {
        const routed = router(event, now);
        if ('job' in routed) seenQueues.add(routed.job.queue);
        return routed;
      },
      letters,
      metrics,
      clock,
    };
    const own = reachable.map((name) => shards.get(name) as Shard);
    return { stages, shards: own, fingerprint: fingerprint(settings, reachable, config.queues) };
  }

  function plan(topic: string) {
    return plans.get(topic) as ReturnType<typeof planOf>;
  }

  // Assignment

  function assigned(assignment: Assignment): void {
    epoch = assignment.epoch;
    held.clear();
    for (const partition of assignment.partitions) {
      held.set(partitionKey(partition), new HeldPartition(partition, epoch));
    }
    void claimUntilHeld([...held.values()]);
  }

  function revoked(): void {
    for (const each of held.values()) each.state = 'lost';
    held.clear();
    reportHalted();
  }

  /** Claims until every partition is ready, halted or lost. */
  async function claimUntilHeld(partitions: readonly HeldPartition[]): Promise<void> {
    let waiting = partitions;
    while (waiting.length > 0 && !stopping.signal.aborted) {
      try {
        const view = await askKafka();
        await Promise.all(waiting.map((each) => claimOnce(each, view)));
      } catch (error) {
        log.warn({ reason: messageOf(error) }, 'partitions not claimed yet; trying again');
      }
      waiting = waiting.filter(({ state }) => state === 'claiming');
      regulate();
      if (waiting.length > 0) await clock.sleep(CLAIM_AGAIN_MS, stopping.signal);
    }
  }

  async function askKafka(): Promise<KafkaView> {
    const [cluster, committed, bounds] = await Promise.all([
      admin.clusterId(),
      admin.committed(config.kafka.groupId, topics),
      admin.bounds(topics),
    ]);
    return { cluster, group: config.kafka.groupId, committed, bounds };
  }

  async function claimOnce(each: HeldPartition, view: KafkaView): Promise<void> {
    const { shards: own, fingerprint: routing } = plan(each.topic);
    const context = { consumer, view, fingerprint: routing, shards: own, allShards: [...shards.values()] };
    try {
      await claimPartition(each, context);
    } catch (error) {
      log.debug({ topic: each.topic, partition: each.partition, reason: messageOf(error) }, 'claim failed');
    }
    if (each.state === 'halted') {
      log.error(
        { topic: each.topic, partition: each.partition, reason: each.haltReason },
        'partition halted; an operator has to decide',
      );
      reportHalted();
    }
  }

  /** Rule 8: drop what is in flight, claim again, rewind to the committed offset. */
  function reclaim(each: HeldPartition, status: string): void {
    if (!each.isReady) return;
    each.state = 'claiming';
    metrics.reclaims.inc({ cause: status });
    log.warn(
      { topic: each.topic, partition: each.partition, cause: status },
      'claim lost; claiming again from the committed offset',
    );
    regulate();
    void claimUntilHeld([each]);
  }

  function reportHalted(): void {
    for (const topic of topics) {
      const halted = [...held.values()].filter((each) => each.topic === topic && each.state === 'halted');
      metrics.partitionsHalted.set({ topic }, halted.length);
    }
  }

  // Source and gate

  /** Lets the partitions run that may, and holds the others. A partition in work is looked at again when it is through. */
  function regulate(): void {
    for (const each of held.values()) {
      if (each.isBusy && each.isFlowing && mayFlow(each)) continue;
      if (mayFlow(each) === each.isFlowing) continue;
      if (each.isFlowing) consumer.pause([each]);
      else if (each.isBusy) continue;
      else letFlow(each);
      each.isFlowing = !each.isFlowing;
    }
  }

  function mayFlow(each: HeldPartition): boolean {
    return each.isReady && each.heldBackUntil <= clock.now() && plan(each.topic).shards.every(({ isOpen }) => isOpen);
  }

  function letFlow(each: HeldPartition): void {
    consumer.seek(each, each.position);
    consumer.resume([each]);
  }

  async function records(batch: RecordBatch, control: BatchControl): Promise<void> {
    const each = held.get(partitionKey(batch));
    if (each === undefined || each.epoch !== batch.epoch || !each.isReady || each.isBusy) return;
    each.isBusy = true;
    try {
      after(each, await feed(each, batch, control, plan(batch.topic).stages));
    } finally {
      each.isBusy = false;
      regulate();
    }
  }

  function after(each: HeldPartition, end: FeedEnd): void {
    if (end.kind === 'taken' || end.kind === 'revoked') return;
    if (end.kind === 'disowned') {
      reclaim(each, end.status);
      return;
    }
    consumer.pause([each]);
    each.isFlowing = false;
    if (end.kind === 'refused') {
      holdBack(each);
      log.error({ queue: end.queue, why: end.why, remedy: remedyFor(end.why) }, 'queue refused; its partition waits');
    } else if (end.kind === 'letters') {
      holdBack(each);
      log.error(
        { err: end.error, topic: each.topic, partition: each.partition },
        'dead letter refused; its partition waits',
      );
    }
  }

  function holdBack(each: HeldPartition): void {
    each.heldBackUntil = clock.now() + HOLD_BACK_MS;
    void clock.sleep(HOLD_BACK_MS + 1, stopping.signal).then(regulate);
  }

  // Settle and commit

  async function settleLoop(): Promise<void> {
    let pauseMs = SETTLE_SLOW_MS;
    while (!stopping.signal.aborted) {
      const found = await settleAll();
      pauseMs = found > 0 ? SETTLE_FAST_MS : Math.min(SETTLE_SLOW_MS, pauseMs * 2);
      await clock.sleep(pauseMs, stopping.signal);
    }
  }

  async function settleAll(): Promise<number> {
    const context = { letters, metrics, log, onFenced: reclaim };
    let found = 0;
    for (const each of [...held.values()]) found += each.isReady ? await settleRound(each, context) : 0;
    return found;
  }

  async function commitLoop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await clock.sleep(COMMIT_EVERY_MS, stopping.signal);
      await commitNow();
    }
  }

  async function commitNow(): Promise<void> {
    await commitSettled(epoch, held.values(), { consumer, fingerprint: (topic) => plan(topic).fingerprint, log });
  }

  async function makeTopics(): Promise<void> {
    const wanted = topics.flatMap((topic) => [
      { topic, partitions: -1 },
      { topic: letterTopic(topic), partitions: -1, config: { 'max.message.bytes': String(LETTER_BYTES) } },
    ]);
    for (;;) {
      try {
        return await admin.ensureTopics(wanted);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ brokers: config.kafka.brokers, reason: messageOf(error) }, 'kafka is away; trying again');
        await clock.sleep(HOLD_BACK_MS, stopping.signal);
      }
    }
  }

  return {
    async start() {
      await Promise.all([...shards.values()].map((shard) => shard.start()));
      await makeTopics();
      if (stopping.signal.aborted) return;
      loops.push(settleLoop(), commitLoop());
      await consumer.start();
    },

    async stop(deadlineMs) {
      if (stopping.signal.aborted) return;
      stopping.abort();
      for (const each of held.values()) if (each.isFlowing) consumer.pause([each]);
      await Promise.all(loops);
      await settleAll();
      await commitNow();
      await consumer.stop(deadlineMs);
      await Promise.all([...shards.values()].map((shard) => shard.stop()));
      await Promise.all([letterProducer.stop(1_000), admin.stop(1_000)]);
    },

    view: () => ({
      queues: [...seenQueues].slice(0, MOST_QUEUES_SHOWN),
      gates: [...shards.values()].map(({ view }) => view),
      partitions: [...held.values()].map((each) => ({
        topic: each.topic,
        partition: each.partition,
        state: each.state,
        haltReason: each.haltReason,
        committed: each.committed,
        enqueued: each.shards.length > 0 ? each.acked : -1,
      })),
    }),
  };
}

function remedyFor(why: string): string {
  if (why.startsWith('paused-by') || why.startsWith('legacy-paused')) {
    return 'resume the queue, or upgrade its BullMQ to 6: older versions lose jobs added to a paused queue when they resume it';
  }
  if (why.startsWith('untested-version')) return 'use BullMQ 5 or 6 for this queue, or another queue for the topic';
  return 'use another queue or prefix: a key of the queue holds something else';
}
