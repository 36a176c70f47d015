/**
 * The one place that reaches behind KafkaJS's public interface, for what that cannot do:
 * - its commits are tried again with whatever generation the member has by then, so one of a lost assignment can
 *   pass (kafkajs#1046). A join's own offset manager keeps its generation, and Kafka refuses what is late;
 * - on OFFSET_OUT_OF_RANGE it moves to the topic's beginning and commits -2 over the group's offset and metadata
 *   (kafkajs#1777). Here the partition is reported instead and nothing moves.
 * kafkajs is pinned for this; the conformance suite fails when its inside changes.
 */
import kafkajs, { type PartitionAssigner } from 'kafkajs';
import ConsumerGroup from 'kafkajs/src/consumer/consumerGroup.js';
import type { TopicPartition } from './consumer.ts';

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
    return kafkajs.PartitionAssigners.roundRobin(deps);
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
