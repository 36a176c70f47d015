/**
 * A member of a consumer group over KafkaJS, with the ownership that KafkaJS does not keep: an epoch for each
 * completed join, commits refused once it is over, and partitions that stand still until they are resumed.
 * Brokers that are away are tried again until `stop`; a death that KafkaJS does not recover from is `failed`.
 */
import type { Consumer, ConsumerConfig, ConsumerCrashEvent } from 'kafkajs';
import { backoffDelay } from '../backoff.ts';
import { systemClock } from '../clock.ts';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, kafkaError } from './client.ts';
import { registerCodecs } from './codecs.ts';
import type { KafkaConfig } from './config.ts';
import type { ConsumerHandlers, GroupConsumer, OffsetCommit, TopicPartition } from './consumer.ts';
import { byTopic, toClientOffsets, toPartitions } from './from-client.ts';
import { type ClientGroup, watchingAssigner } from './group-seam.ts';
import { Ownership } from './ownership.ts';
import { takeBatch } from './take-batch.ts';

/** Longest time that a fetch waits for records; it delays every control action. */
const FETCH_WAIT_MS = 250;
const PARTITIONS_AT_ONCE = 64;
const REBALANCE_TIMEOUT_MS = 30_000;
/** A heartbeat is how a member learns that another came or went: till then the partitions that change hands stand still. */
const HEARTBEAT_MS = 250;
/** Partitions that were added to a topic are noticed within this time. */
const METADATA_AGE_MS = 30_000;
const CONNECT_BACKOFF = { baseMs: 500, maxMs: 5_000 };
const CONNECT_AGAIN_MS = 200;
const STUCK_AFTER_MS = 300_000;

export interface GroupConsumerOptions {
  readonly config: KafkaConfig;
  readonly topics: readonly string[];
  readonly handlers: ConsumerHandlers;
  readonly log: Log;
  /** A handler that takes longer is `failed`. */
  readonly stuckAfterMs?: number;
}

export function createGroupConsumer(options: GroupConsumerOptions): GroupConsumer {
  registerCodecs();
  return new Member(options);
}

class Member implements GroupConsumer {
  readonly #options: GroupConsumerOptions;
  readonly #consumer: Consumer;
  readonly #ownership = new Ownership();
  readonly #stopping = new AbortController();
  #group: ClientGroup | undefined;
  #lastTrouble = '';

  constructor(options: GroupConsumerOptions) {
    this.#options = options;
    this.#consumer = createClient(options.config, options.log, (kafka) => kafka.consumer(this.#clientConfig()));
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => this.#joined(payload.memberAssignment));
    this.#consumer.on(events.REBALANCING, () => this.#revoke('rebalancing'));
    this.#consumer.on(events.DISCONNECT, () => this.#revoke('disconnected'));
    this.#consumer.on(events.CRASH, (event) => this.#crashed(event));
  }

  #clientConfig(): ConsumerConfig {
    const { groupId, sessionTimeoutMs } = this.#options.config;
    const assigner = watchingAssigner({
      group: (group) => {
        this.#group = group;
      },
      outOfRange: (partition) => this.#outOfRange(partition),
    });
    return {
      groupId,
      partitionAssigners: [assigner],
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: Math.max(sessionTimeoutMs, REBALANCE_TIMEOUT_MS),
      heartbeatInterval: Math.min(HEARTBEAT_MS, sessionTimeoutMs / 4),
      metadataMaxAge: METADATA_AGE_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      retry: { retries: 8, restartOnFailure: async () => !this.#stopping.signal.aborted },
    };
  }

  async start(): Promise<void> {
    await this.#connectUntilStopped();
    if (this.#stopping.signal.aborted) return;
    const { handlers, log, stuckAfterMs = STUCK_AFTER_MS } = this.#options;
    const taker = { ownership: this.#ownership, handlers, log, stuckAfterMs };
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
      eachBatch: (payload) => takeBatch(payload, taker),
    });
  }

  async #connectUntilStopped(): Promise<void> {
    const { signal } = this.#stopping;
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#consumer.connect();
        await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
        return;
      } catch (error) {
        this.#tell(error, 'cannot consume yet; trying again');
        await systemClock.sleep(backoffDelay(CONNECT_BACKOFF, failures) + CONNECT_AGAIN_MS, signal);
      }
    }
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#revoke('stopped');
    // KafkaJS waits for handlers that are stuck (kafkajs#571).
    await within(
      deadlineMs,
      this.#consumer.disconnect().catch(() => undefined),
    );
  }

  pause(partitions: readonly TopicPartition[]): void {
    this.#ownership.paused(partitions);
    if (partitions.length > 0) this.#steer(() => this.#consumer.pause(byTopic(partitions)));
  }

  resume(partitions: readonly TopicPartition[]): void {
    this.#ownership.resumed(partitions);
    if (partitions.length > 0) this.#steer(() => this.#consumer.resume(byTopic(partitions)));
  }

  seek({ topic, partition }: TopicPartition, offset: number): void {
    this.#ownership.sentElsewhere({ topic, partition }, offset);
    this.#steer(() => this.#consumer.seek({ topic, partition, offset: String(offset) }));
  }

  /** Between a crash and the next join there is nothing to steer; that join starts with everything paused. */
  #steer(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.log.debug({ reason: messageOf(error) }, 'the consumer does not run');
    }
  }

  async commit(epoch: number, offsets: readonly OffsetCommit[]): Promise<void> {
    const committer = this.#ownership.offsetsOf(epoch);
    if (committer === undefined) {
      throw new SluiceError('DISOWNED', 'the partitions belong to a later assignment; nothing was committed');
    }
    try {
      await committer.commitOffsets(toClientOffsets(offsets));
    } catch (error) {
      throw kafkaError('committing offsets', this.#options.config.brokers, error);
    }
  }

  /** Runs inside the join, before any fetch of it: the pause is in force for the first one. */
  #joined(memberAssignment: Record<string, number[]>): void {
    this.#revoke('joined again');
    const group = this.#group;
    if (this.#stopping.signal.aborted || group === undefined) {
      void group?.leave().catch(() => undefined);
      throw new SluiceError('STOPPED', 'the consumer was stopped while it joined its group');
    }
    this.#lastTrouble = '';
    const partitions = toPartitions(memberAssignment);
    const epoch = this.#ownership.begin(partitions, group.offsetManager);
    this.pause(partitions);
    this.#options.log.info({ epoch, partitions: partitions.length }, 'partitions assigned');
    this.#options.handlers.assigned({ epoch, partitions });
  }

  #revoke(cause: string): void {
    const epoch = this.#ownership.end();
    if (epoch === undefined) return;
    this.#options.log.info({ epoch, cause }, 'partitions revoked');
    this.#options.handlers.revoked(epoch);
  }

  #outOfRange(partition: TopicPartition): void {
    this.pause([partition]);
    this.#options.handlers.outOfRange(partition);
  }

  #crashed({ payload: { error, restart } }: ConsumerCrashEvent): void {
    const { handlers, config } = this.#options;
    this.#revoke('crashed');
    this.#tell(error, 'kafka consumer crashed');
    if (!restart && !this.#stopping.signal.aborted) handlers.failed(kafkaError('consuming', config.brokers, error));
  }

  /** Once for the same trouble in a row. */
  #tell(error: unknown, text: string): void {
    const { log, config, topics } = this.#options;
    const reason = messageOf(error);
    const fields = { brokers: config.brokers, topics, reason };
    if (reason === this.#lastTrouble) log.debug(fields, text);
    else log.warn(fields, text);
    this.#lastTrouble = reason;
  }
}
