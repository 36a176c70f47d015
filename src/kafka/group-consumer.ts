/**
 * A member of a consumer group over KafkaJS, with the ownership that KafkaJS does not keep: an epoch for each
 * completed join, commits refused once it is over, and partitions that stand still until they are resumed.
 * Brokers that are away are tried again until `stop`; a death that KafkaJS does not recover from is `failed`.
 */
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { backoffDelay } from '../backoff.ts';
import { systemClock } from '../clock.ts';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, FETCH_WAIT_MS, kafkaError } from './client.ts';
import type { KafkaConfig } from './config.ts';
import {
  type Assignment,
  type ConsumerHandlers,
  type GroupConsumer,
  type KafkaRecord,
  type OffsetCommit,
  partitionKey,
  type RecordBatch,
  type TopicPartition,
} from './consumer.ts';

const PARTITION_FETCH_BYTES = 1_048_576;
const FETCH_BYTES = 16 * PARTITION_FETCH_BYTES;
const PARTITIONS_AT_ONCE = 64;
const CONNECT_BACKOFF = { baseMs: 500, maxMs: 5_000 };

export interface GroupConsumerOptions {
  readonly config: KafkaConfig;
  readonly topics: readonly string[];
  readonly handlers: ConsumerHandlers;
  readonly log: Log;
}

export function createGroupConsumer({ config, topics, handlers, log }: GroupConsumerOptions): GroupConsumer {
  const stopping = new AbortController();
  const paused = new Set<string>();
  let epoch = 0;
  let isOwner = false;
  let commitsSeen = 0;

  const consumer: Consumer = createClient(config, log).consumer({
    groupId: config.groupId,
    sessionTimeout: config.sessionTimeoutMs,
    rebalanceTimeout: Math.max(config.sessionTimeoutMs, 30_000),
    heartbeatInterval: Math.min(1_000, config.sessionTimeoutMs / 4),
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
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => joined(payload.memberAssignment));
  consumer.on(consumer.events.REBALANCING, () => revoke('rebalancing'));
  consumer.on(consumer.events.DISCONNECT, () => revoke('disconnected'));
  consumer.on(consumer.events.COMMIT_OFFSETS, () => {
    commitsSeen += 1;
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    revoke('crashed');
    log.warn({ reason: messageOf(payload.error), restart: payload.restart }, 'kafka consumer crashed');
    if (!payload.restart && !stopping.signal.aborted)
      handlers.failed(kafkaError('consuming', config.brokers, payload.error));
  });

  function revoke(cause: string): void {
    if (!isOwner) return;
    isOwner = false;
    log.info({ epoch, cause }, 'partitions revoked');
    handlers.revoked(epoch);
  }

  /** Runs inside the join, before any fetch of it: the pause is in force for the first one. */
  function joined(memberAssignment: Record<string, number[]>): void {
    revoke('joined again');
    epoch += 1;
    isOwner = true;
    paused.clear();
    const partitions = Object.entries(memberAssignment).flatMap(([topic, numbers]) =>
      numbers.map((partition) => ({ topic, partition })),
    );
    pause(partitions);
    log.info({ epoch, partitions: partitions.length }, 'partitions assigned');
    const assignment: Assignment = { epoch, partitions };
    handlers.assigned(assignment);
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

  async function eachBatch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition, messages, highWatermark } = payload.batch;
    const held = epoch;
    const isCurrent = () => isOwner && held === epoch && payload.isRunning() && !payload.isStale();
    if (!isCurrent() || paused.has(partitionKey({ topic, partition }))) return;
    const batch: RecordBatch = {
      topic,
      partition,
      epoch: held,
      records: messages.map(toRecord),
      highWatermark: Number(highWatermark),
    };
    await handlers.records(batch, {
      isCurrent,
      resolve: (offset) => payload.resolveOffset(String(offset)),
      heartbeat: () => payload.heartbeat(),
    });
  }

  async function connectUntilStopped(): Promise<void> {
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [...topics], fromBeginning: true });
        return;
      } catch (error) {
        log.warn({ brokers: config.brokers, reason: messageOf(error) }, 'kafka is away; trying again');
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
      whileRunning(() => consumer.seek({ topic, partition, offset: String(offset) }));
    },

    async commit(of, offsets) {
      if (!isOwner || of !== epoch) throw disowned();
      const before = commitsSeen;
      try {
        await consumer.commitOffsets(offsets.map(toClientOffset));
      } catch (error) {
        throw kafkaError('committing offsets', config.brokers, error);
      }
      // A consumer that is not running drops a commit without a word (kafkajs runner.commitOffsets).
      if (commitsSeen === before) throw disowned();
    },
  };
}

function disowned(): SluiceError {
  return new SluiceError('DISOWNED', 'the partitions belong to a later assignment; nothing was committed');
}

function byTopic(partitions: readonly TopicPartition[]): { topic: string; partitions: number[] }[] {
  const topics = Map.groupBy(partitions, ({ topic }) => topic);
  return [...topics].map(([topic, of]) => ({ topic, partitions: of.map(({ partition }) => partition) }));
}

function toClientOffset({ topic, partition, offset, metadata }: OffsetCommit) {
  return { topic, partition, offset: String(offset), metadata };
}

const NO_HEADERS = Object.freeze({});

function toRecord({ offset, key, value, timestamp, headers }: KafkaMessage): KafkaRecord {
  return { offset: Number(offset), key, value, timestamp: Number(timestamp), headers: headersOf(headers) };
}

function headersOf(headers: KafkaMessage['headers']): Readonly<Record<string, string>> {
  if (headers === undefined) return NO_HEADERS;
  const texts: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) texts[name] = last.toString();
  }
  return texts;
}
