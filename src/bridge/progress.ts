/**
 * Finds partitions that should flow and do not: fetched, with records waiting, and not one taken for a long time. A Kafka
 * client can stop fetching without a word; a bridge that is started anew joins afresh.
 */
import type { Bounds, TopicPartition } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import type { HeldPartition } from './held-partition.ts';

const STUCK_AFTER_MS = 120_000;

type Flowing = Pick<HeldPartition, 'topic' | 'partition' | 'epoch' | 'position' | 'isFlowing' | 'isBusy'>;

interface Standing {
  readonly epoch: number;
  readonly position: number;
  readonly since: number;
}

export class ProgressWatch {
  #standing = new Map<string, Standing>();

  /** The partitions that have stood still for so long that the ends of their logs are worth asking for. */
  suspects<P extends Flowing>(partitions: readonly P[], now: number): P[] {
    const before = this.#standing;
    this.#standing = new Map();
    return partitions.filter((each) => {
      if (!each.isFlowing || each.isBusy) return false;
      const { epoch, position } = each;
      const last = before.get(partitionKey(each));
      const isSame = last?.epoch === epoch && last.position === position;
      const since = isSame ? last.since : now;
      this.#standing.set(partitionKey(each), { epoch, position, since });
      return now - since >= STUCK_AFTER_MS;
    });
  }
}

/** Whether the log holds records that were not taken. */
export function isBehind(
  each: TopicPartition & { readonly position: number },
  bounds: ReadonlyMap<string, Bounds>,
): boolean {
  return (bounds.get(partitionKey(each))?.high ?? 0) > each.position;
}
