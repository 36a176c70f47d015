/**
 * Puts a simulated Kafka in the place of KafkaJS's connections: its consumer, its runner and its fetchers are those that
 * the bridge runs on. Of the cluster only what a consumer calls is replaced. kafkajs is pinned, as for group-seam.ts.
 */
import Cluster from 'kafkajs/src/cluster/index.js';
import type { SimulatedKafka } from './kafka.ts';
import { TOPIC } from './partition-log.ts';

const NODE = 0;

/** Resolves as `life` does, and puts everything back. */
export async function onKafka<T>(kafka: SimulatedKafka, life: () => Promise<T>): Promise<T> {
  const replaced = clusterOf(kafka);
  const names = Object.keys(replaced);
  const original = Object.fromEntries(names.map((name) => [name, Cluster.prototype[name]]));
  Object.assign(Cluster.prototype, replaced);
  try {
    return await life();
  } finally {
    Object.assign(Cluster.prototype, original);
  }
}

function clusterOf(kafka: SimulatedKafka): Record<string, (...args: never[]) => unknown> {
  const nothing = async () => {};
  return {
    connect: nothing,
    disconnect: nothing,
    refreshMetadata: nothing,
    refreshMetadataIfNecessary: nothing,
    addMultipleTargetTopics: nothing,
    removeBroker: () => {},
    getNodeIds: () => [NODE],
    findBroker: async () => kafka.broker,
    findGroupCoordinator: async () => kafka.coordinator,
    findTopicPartitionMetadata: () =>
      kafka.partitions.map((partitionId) => ({ partitionId, leader: NODE, offlineReplicas: [] })),
    fetchTopicsOffset: async () => [
      { topic: TOPIC, partitions: kafka.partitions.map((partition) => ({ partition, offset: '0' })) },
    ],
  };
}
