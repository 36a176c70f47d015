/**
 * From a topic's records to packed Sidekiq jobs. A record that is such a job, and keeps what it says, takes the quick way
 * past decoding and routing; all others are decoded and routed like those of any topic, and packed in between: jobs stay in
 * the order of their records.
 */
import { groupMark, idOfGroup } from '../job/identity.ts';
import type { Job } from '../job/job.ts';
import { OWN_HEADERS } from '../job/letter.ts';
import { KeptJobs } from '../job/sidekiq-kept.ts';
import { KeptTail } from '../job/sidekiq-tail.ts';
import type { KafkaRecord } from '../kafka/consumer.ts';
import { Packing, type Rooms } from '../queue/sidekiq/packing.ts';
import type { PackedJobs } from '../queue/sink.ts';
import type { TopicConfig } from './config.ts';
import { LARGEST_RECORD_BYTES } from './decode.ts';
import type { Routing } from './route.ts';

export interface SidekiqPacker {
  /** For the records of a cut of one partition; `now` in milliseconds since the epoch. */
  begin(idPrefix: string, now: number): SidekiqPacking;
}

export interface SidekiqPacking {
  /** Whether the record took the quick way. In the order of offsets, as `add`. */
  takes(record: KafkaRecord): boolean;
  add(offset: number, job: Job): void;
  end(): PackedJobs;
}

export interface PackerOptions {
  readonly topic: TopicConfig;
  readonly routing: Pick<Routing, 'kafka' | 'sidekiq'>;
  readonly rooms: Rooms;
  /** Called for the queues of each cut. */
  readonly onQueue: (queue: string) => void;
}

export function createSidekiqPacker({
  topic,
  routing: { kafka, sidekiq },
  rooms,
  onQueue,
}: PackerOptions): SidekiqPacker {
  const { dialect } = sidekiq;
  const mark = groupMark(kafka.groupId);
  const isTracked = topic.settle === 'acknowledged';
  const mayKeep = topic.record === 'sidekiq' && typeof topic.queue !== 'function';
  const kept = new KeptJobs(dialect);

  return {
    begin(idPrefix, now) {
      const packing = new Packing(now, dialect, rooms);
      const tail = new KeptTail(idOfGroup(idPrefix, mark), isTracked);
      return {
        takes({ offset, key, value, headers }) {
          if (!mayKeep || value === null || value.length > LARGEST_RECORD_BYTES || hasLife(headers)) return false;
          if (!tail.make(offset, key, headers) || !kept.keeps(value)) return false;
          if (topic.queue !== undefined && topic.queue !== kept.queue) return false;
          packing.addKept(offset, value, kept, tail);
          return true;
        },
        add: (offset, job) => packing.add(offset, job),
        end() {
          for (const queue of packing.byQueue.keys()) onQueue(queue);
          return packing;
        },
      };
    },
  };
}

/** Whether the record was late, or a letter, and is not what it says alone. */
function hasLife(headers: KafkaRecord['headers']): boolean {
  for (const name in headers) if (name.startsWith(OWN_HEADERS)) return true;
  return false;
}
