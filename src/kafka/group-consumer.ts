/**
 * A member of a consumer group over KafkaJS, with the ownership that KafkaJS does not keep: an epoch for each
 * completed join, commits refused once it is over, and partitions that stand still until they are resumed.
 * Brokers that are away are tried again until `stop`; a death that KafkaJS does not recover from is `failed`.
 */
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { backoffDelay } from '../backoff.ts';
import { systemClock } from '../clock.ts';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, FETCH_WAIT_MS, isClientError, kafkaError } from './client.ts';
import { registerCodecs } from './codecs.ts';
import type { KafkaConfig } from './config.ts';
import { type ConsumerHandlers, type GroupConsumer, partitionKey, type TopicPartition } from './consumer.ts';
import { byTopic, toClientOffsets, toPartitions, toRecord } from './from-client.ts';
import { type ClientGroup, watchingAssigner } from './group-seam.ts';

const PARTITION_FETCH_BYTES = 1_048_576;
const FETCH_BYTES = 16 * PARTITION_FETCH_BYTES;
const PARTITIONS_AT_ONCE = 64;
const CONNECT_BACKOFF = { baseMs: 500, maxMs: 5_000 };
/** Partitions that were added to a topic are noticed within this time. */
const METADATA_AGE_MS = 30_000;
/** A handler that is silent for longer is taken for stuck: heartbeats alone would keep its partitions for ever (kafkajs#1616). */
const STUCK_AFTER_MS = 300_000;

export interface GroupConsumerOptions {
  readonly config: KafkaConfig;
  readonly topics: readonly string[];
  readonly handlers: ConsumerHandlers;
  readonly log: Log;
  readonly stuckAfterMs?: number;
}

/** One completed join. */
interface Ownership {
  readonly epoch: number;
  /** Keeps the join's generation. */
  readonly offsets: ClientGroup['offsetManager'];
  readonly partitions: ReadonlySet<string>;
}

export function createGroupConsumer(options: GroupConsumerOptions): GroupConsumer {
  const { config, topics, handlers, log, stuckAfterMs = STUCK_AFTER_MS } = options;
  const stopping = new AbortController();
  const paused = new Set<string>();
  /** How often each partition was sent elsewhere: what was fetched before is void. */
  const seeks = new Map<string, number>();
  let epoch = 0;
  let group: ClientGroup | undefined;
  let owned: Ownership | undefined;
  let lastTrouble = '';

  registerCodecs();
  const assigner = watchingAssigner({
    group: (each) => {
      group = each;
    },
    outOfRange,
  });
  const consumer: Consumer = createClient(config, log, (kafka) =>
    kafka.consumer({
      groupId: config.groupId,
      partitionAssigners: [assigner],
      sessionTimeout: config.sessionTimeoutMs,
      rebalanceTimeout: Math.max(config.sessionTimeoutMs, 30_000),
      heartbeatInterval: Math.min(1_000, config.sessionTimeoutMs / 4),
      metadataMaxAge: METADATA_AGE_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      maxBytesPerPartition: PARTITION_FETCH_BYTES,
      maxBytes: FETCH_BYTES,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 200,
        maxRetryTime: 2_000,
        retries: 8,
        restartOnFailure: async () => !stopping.signal.aborted,
      },
    }),
  );
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined(payload.memberAssignment));
  consumer.on(consumer.events.REBALANCING, () => revoke('rebalancing'));
  consumer.on(consumer.events.DISCONNECT, () => revoke('disconnected'));
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    revoke('crashed');
    tell(payload.error, 'kafka consumer crashed');
    if (!payload.restart && !stopping.signal.aborted)
      handlers.failed(kafkaError('consuming', config.brokers, payload.error));
  });

  /** Once for the same trouble in a row. */
  function tell(error: unknown, text: string): void {
    const reason = messageOf(error);
    log[reason === lastTrouble ? 'debug' : 'warn']({ brokers: config.brokers, topics, reason }, text);
    lastTrouble = reason;
  }

  function revoke(cause: string): void {
    if (owned === undefined) return;
    owned = undefined;
    log.info({ epoch, cause }, 'partitions revoked');
    handlers.revoked(epoch);
  }

  /** Runs inside the join, before any fetch of it: the pause is in force for the first one. */
  function joined(memberAssignment: Record<string, number[]>): void {
    revoke('joined again');
    if (stopping.signal.aborted || group === undefined) {
      void group?.leave().catch(() => undefined);
      throw new SluiceError('STOPPED', 'the consumer was stopped while it joined its group');
    }
    epoch += 1;
    lastTrouble = '';
    paused.clear();
    const partitions = toPartitions(memberAssignment);
    owned = { epoch, offsets: group.offsetManager, partitions: new Set(partitions.map(partitionKey)) };
    pause(partitions);
    log.info({ epoch, partitions: partitions.length }, 'partitions assigned');
    handlers.assigned({ epoch, partitions });
  }

  function outOfRange(partition: TopicPartition): void {
    pause([partition]);
    handlers.outOfRange(partition);
  }

  function pause(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) paused.add(partitionKey(each));
    if (partitions.length > 0) whileRunning(() => consumer.pause(byTopic(partitions)));
  }

  /** Between a crash and the next join there is nothing to steer; that join starts with everything paused. */
  function whileRunning(steer: () => void): void {
    try {
      steer();
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'the consumer does not run');
    }
  }

  /** Whether the batch was fetched from where its partition stands now: not before a seek, nor for an earlier join. */
  function isInPlace({ batch, isStale }: EachBatchPayload, key: string): boolean {
    if (isStale() || !owned?.partitions.has(key)) return false;
    const fetchedOffset: unknown = Reflect.get(batch, 'fetchedOffset');
    return String(fetchedOffset) === String(owned.offsets.nextOffset(batch.topic, batch.partition));
  }

  async function eachBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages, highWatermark } = payload.batch;
    const key = partitionKey({ topic, partition });
    if (paused.has(key) || !payload.isRunning() || !isInPlace(payload, key)) return;
    const [held, turn] = [epoch, seeks.get(key)];
    const isHeld = () => owned?.epoch === held;
    const isCurrent = () => isHeld() && seeks.get(key) === turn && payload.isRunning();
    const batch = { topic, partition, epoch, records: messages.map(toRecord), highWatermark: Number(highWatermark) };
    const control = {
      isCurrent,
      resolve: (offset: number) => {
        if (isCurrent()) payload.resolveOffset(String(offset));
      },
      heartbeat: async () => {
        if (!isHeld()) throw disowned();
        await payload.heartbeat();
      },
    };
    const watchdog = setTimeout(() => stuck(batch), stuckAfterMs);
    try {
      await handlers.records(batch, control);
    } catch (error) {
      if (!isHeld()) return;
      if (!isClientError(error)) log.error({ err: error, topic, partition }, 'batch failed; it is read again');
      throw error;
    } finally {
      clearTimeout(watchdog);
    }
  }

  function stuck({ topic, partition }: TopicPartition): void {
    const text = `a batch of ${topic}/${partition} was not handled within ${stuckAfterMs} ms`;
    handlers.failed(new SluiceError('TIMEOUT', text));
  }

  async function connectUntilStopped(): Promise<void> {
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [...topics], fromBeginning: true });
        return;
      } catch (error) {
        tell(error, 'cannot consume yet; trying again');
        await systemClock.sleep(backoffDelay(CONNECT_BACKOFF, failures) + 200, stopping.signal);
      }
    }
  }

  return {
    async start() {
      await connectUntilStopped();
      if (stopping.signal.aborted) return;
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
        eachBatch,
      });
    },

    async stop(deadlineMs) {
      if (stopping.signal.aborted) return;
      stopping.abort();
      revoke('stopped');
      await within(
        deadlineMs,
        consumer.disconnect().catch(() => undefined),
      );
    },

    pause,

    resume(partitions) {
      for (const each of partitions) paused.delete(partitionKey(each));
      if (partitions.length > 0) whileRunning(() => consumer.resume(byTopic(partitions)));
    },

    seek({ topic, partition }, offset) {
      const key = partitionKey({ topic, partition });
      seeks.set(key, (seeks.get(key) ?? 0) + 1);
      whileRunning(() => consumer.seek({ topic, partition, offset: String(offset) }));
    },

    async commit(of, offsets) {
      if (owned?.epoch !== of) throw disowned();
      try {
        await owned.offsets.commitOffsets(toClientOffsets(offsets));
      } catch (error) {
        throw kafkaError('committing offsets', config.brokers, error);
      }
    },
  };
}

function disowned(): SluiceError {
  return new SluiceError('DISOWNED', 'the partitions belong to a later assignment; nothing was committed');
}
