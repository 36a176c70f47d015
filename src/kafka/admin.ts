/** Questions about topics and groups, over KafkaJS. Every answer comes within the client's retries or is UNREACHABLE. */
import kafkajs from 'kafkajs';
import { systemClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { within } from '../service.ts';
import { createClient, errorType, kafkaError } from './client.ts';
import type { KafkaConfig } from './config.ts';
import { type Bounds, type Committed, type KafkaAdmin, partitionKey } from './consumer.ts';

const USUAL_TRIES = 5;
const AGREEMENT_TRIES = 50;
const AGREEMENT_AGAIN_MS = 100;

/** `tries` bounds how long a question is asked again while no broker answers. */
export function createKafkaAdmin(config: KafkaConfig, log: Log, tries = USUAL_TRIES): KafkaAdmin {
  const admin = createClient(config, log, (kafka) => kafka.admin({ retry: { retries: tries } }));
  let connecting: Promise<void> | undefined;

  async function ask<T>(what: string, question: () => Promise<T>): Promise<T> {
    try {
      connecting ??= admin.connect();
      await connecting;
      return await question();
    } catch (error) {
      connecting = undefined;
      throw kafkaError(what, config.brokers, error);
    }
  }

  async function again<T>(undecided: readonly string[], question: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await question();
      } catch (error) {
        if (!undecided.includes(errorType(error)) || tries === AGREEMENT_TRIES) throw error;
        await systemClock.sleep(AGREEMENT_AGAIN_MS);
      }
    }
  }

  /** While a topic, anybody's, is made or deleted, brokers differ for a moment on which there are. */
  const agreed = <T>(question: () => Promise<T>) => again(['UNKNOWN_TOPIC_OR_PARTITION'], question);

  /** The leader of a new partition may not know for a moment that it is. */
  const led = <T>(question: () => Promise<T>) => again(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE'], question);

  return {
    start: () => ask('connecting', async () => undefined),

    async stop(deadlineMs) {
      await within(
        deadlineMs,
        admin.disconnect().catch(() => undefined),
      );
    },

    clusterId: () => ask('asking for the cluster', async () => (await admin.describeCluster()).clusterId),

    topics: () => ask('listing topics', () => agreed(() => admin.listTopics())),

    committed: (groupId, topics) =>
      ask('asking for committed offsets', async () => {
        const answer = await admin.fetchOffsets({ groupId, topics: [...topics] });
        const committed = new Map<string, Committed>();
        for (const { topic, partitions } of answer) {
          for (const { partition, offset, metadata } of partitions) {
            if (Number(offset) < 0) continue;
            committed.set(partitionKey({ topic, partition }), { offset: Number(offset), metadata: metadata ?? '' });
          }
        }
        return committed;
      }),

    bounds: (topics) =>
      ask('asking for the ends of topics', async () => {
        const bounds = new Map<string, Bounds>();
        const answers = await Promise.all(
          topics.map(async (topic) => ({ topic, ends: await led(() => admin.fetchTopicOffsets(topic)) })),
        );
        for (const { topic, ends } of answers) {
          for (const { partition, low, high } of ends) {
            bounds.set(partitionKey({ topic, partition }), { low: Number(low), high: Number(high) });
          }
        }
        return bounds;
      }),

    offsetsAt: (topic, time) =>
      ask('asking for offsets by time', async () => {
        const answer = await led(() => admin.fetchTopicOffsetsByTimestamp(topic, time));
        return new Map(answer.map(({ partition, offset }) => [partitionKey({ topic, partition }), Number(offset)]));
      }),

    settings: (topics) =>
      ask('asking for the settings of topics', async () => {
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name })),
        });
        return new Map(
          resources.map(({ resourceName, configEntries }) => [
            resourceName,
            new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
          ]),
        );
      }),

    growTopic: (topic, partitions) =>
      ask('adding partitions', async () => {
        const present = (await admin.fetchTopicOffsets(topic)).length;
        if (present < partitions) await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] });
      }),

    members: (groupId) =>
      ask('asking for the members of a group', async () => {
        const { groups } = await admin.describeGroups([groupId]);
        return groups[0]?.members.length ?? 0;
      }),

    deleteBelow: ({ topic, partition }, offset) =>
      ask(`deleting records of ${topic}`, async () => {
        // KafkaJS deletes in topics that it has asked about before.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
      }),

    ensureTopics: (topics) =>
      ask('making topics', () =>
        agreed(async () => {
          const existing = new Set(await admin.listTopics());
          const missing = topics.filter(({ topic }) => !existing.has(topic));
          if (missing.length === 0) return;
          await admin.createTopics({
            waitForLeaders: true,
            topics: missing.map(({ topic, partitions, config: settings = {} }) => ({
              topic,
              numPartitions: partitions,
              configEntries: Object.entries(settings).map(([name, value]) => ({ name, value })),
            })),
          });
        }),
      ),
  };
}
