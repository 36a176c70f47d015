/**
 * The one place that reaches behind KafkaJS's public interface, for what that cannot do:
 * - its commits are tried again with whatever generation the member has by then, so one of a lost assignment can
 *   pass (kafkajs#1046). A join's own offset manager keeps its generation, and Kafka refuses what is late;
 * - on OFFSET_OUT_OF_RANGE it moves to the topic's beginning and commits -2 over the group's offset and metadata
 *   (kafkajs#1777). Here the partition is reported instead and nothing moves;
 * - its batches show records of aborted transactions: where one encloses another, where a fetch begins within two of them, and
 *   behind a key of four zero bytes (filterAbortedMessages.js). Sorting its list would make it lose committed ones
 *   instead. So what comes out of a fetch has no aborted transactions any more, as `committedOnly` judges;
 * - it asks for more only when all of an answer has been handled, then at once, and for as much as it was told at first: see
 *   fetch-ahead.ts, fetch-pace.ts and fetch-size.ts.
 * kafkajs is pinned for this; the conformance suite fails when its inside changes.
 */
import kafkajs, { type Broker, type Cluster, type PartitionAssigner } from 'kafkajs';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import { abortedAsMarks } from './committed-only.ts';
import type { TopicPartition } from './consumer.ts';
import { type FetchAnswer, fetchingAhead } from './fetch-ahead.ts';
import { pacing } from './fetch-pace.ts';
import { sizing } from './fetch-size.ts';

export type ClientGroup = ConsumerGroup;

export interface GroupWatcher {
  /** Called with every group object that the consumer makes, before it joins. */
  group(group: ClientGroup): void;
  outOfRange(partition: TopicPartition): void;
}

const watchers = new WeakMap<object, GroupWatcher>();

/** The usual assigner. KafkaJS hands an assigner the consumer's cluster, by which its group is told from others. */
export function watchingAssigner(watcher: GroupWatcher): PartitionAssigner {
  watchConnects();
  return (deps) => {
    watchers.set(deps.cluster, watcher);
    mendFetches(deps.cluster);
    return kafkajs.PartitionAssigners.roundRobin(deps);
  };
}

/** A consumer's cluster and the brokers in it are its own. */
function mendFetches(cluster: Cluster): void {
  const { findBroker } = cluster;
  const mended = new WeakSet<Broker>();
  cluster.findBroker = async (node) => {
    const broker = await findBroker.call(cluster, node);
    if (!mended.has(broker)) mendFetch(broker);
    mended.add(broker);
    return broker;
  };
}

function mendFetch(broker: Broker): void {
  const { fetch } = broker;
  const sized = sizing((request) => fetch.call(broker, request) as Promise<FetchAnswer>);
  // What is fetched ahead is not paced: it is sent while there is a backlog.
  const fetchAhead = pacing(fetchingAhead(sized));
  broker.fetch = async (request) => {
    const answer = await fetchAhead(request);
    for (const topic of answer.responses) topic.partitions = topic.partitions.map(abortedAsMarks);
    return answer;
  };
}

let isWatching = false;

/** Groups of other consumers in this process are left as they are. */
function watchConnects(): void {
  if (isWatching) return;
  isWatching = true;
  const { connect } = ConsumerGroup.prototype;
  ConsumerGroup.prototype.connect = function (this: ClientGroup) {
    const watcher = watchers.get(this.cluster);
    if (watcher !== undefined) {
      watcher.group(this);
      this.recoverFromOffsetOutOfRange = async ({ topic, partition }) => watcher.outOfRange({ topic, partition });
    }
    return connect.call(this);
  };
}
