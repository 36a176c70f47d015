/**
 * Commits offsets of a group that has no members. Kafka itself refuses while there is one, at the moment of the commit:
 * DISOWNED then, and nothing was committed.
 */
import type { TopicOffsets } from 'kafkajs';
import type { Log } from '../log.ts';
import { kafkaError } from './client.ts';
import { clientWithCluster } from './cluster.ts';
import type { KafkaConfig } from './config.ts';
import type { OffsetCommit } from './consumer.ts';
import { toClientOffsets } from './from-client.ts';

/** What the protocol calls a commit of nobody's. */
const NO_GENERATION = -1;
const NO_MEMBER = '';

export async function commitAlone(config: KafkaConfig, offsets: readonly OffsetCommit[], log: Log): Promise<void> {
  const { client, cluster } = clientWithCluster(config, log);
  const { groupId } = config;
  try {
    await client.connect();
    const coordinator = await cluster.findGroupCoordinator({ groupId });
    await coordinator.offsetCommit({
      groupId,
      groupGenerationId: NO_GENERATION,
      memberId: NO_MEMBER,
      topics: toClientOffsets(offsets).topics as TopicOffsets[],
    });
  } catch (error) {
    throw kafkaError(`committing offsets of group ${groupId}`, config.brokers, error);
  } finally {
    await client.disconnect().catch(() => undefined);
  }
}
