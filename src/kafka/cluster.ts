/**
 * Requests that KafkaJS makes for members of groups only: fetches, and commits. A consumer that never joins has what is
 * needed for them: it hands its cluster, whose types are public, to the assigner that it is made with.
 */
import kafkajs, { type Cluster, type Consumer } from 'kafkajs';
import type { Log } from '../log.ts';
import { createClient } from './client.ts';
import type { KafkaConfig } from './config.ts';

export interface ClientWithCluster {
  /** Connects and disconnects the cluster. */
  readonly client: Consumer;
  readonly cluster: Cluster;
}

export function clientWithCluster(config: KafkaConfig, log: Log): ClientWithCluster {
  let cluster: Cluster | undefined;
  const client = createClient(config, log, (kafka) =>
    kafka.consumer({
      groupId: `${config.clientId}-reader`,
      allowAutoTopicCreation: false,
      partitionAssigners: [
        (deps) => {
          cluster = deps.cluster;
          return kafkajs.PartitionAssigners.roundRobin(deps);
        },
      ],
    }),
  );
  return { client, cluster: cluster as unknown as Cluster };
}
