/**
 * What a record goes through beside the feed: its kind is read from a header, letters, delays and carried records are
 * written to topics that are slow, or refuse.
 */

import type { CarriedRecord } from '../../src/bridge/carried.ts';
import type { Stages } from '../../src/bridge/cut.ts';
import type { Delays } from '../../src/bridge/delays.ts';
import type { LetterOrigin, Letters } from '../../src/bridge/letters.ts';
import { systemClock } from '../../src/clock.ts';
import { SluiceError } from '../../src/errors.ts';
import type { Job } from '../../src/job/job.ts';
import type { KafkaRecord, TopicPartition } from '../../src/kafka/consumer.ts';
import type { Metrics } from '../../src/metrics.ts';
import type { Chance } from './chance.ts';
import type { Faults } from './faults.ts';
import type { PartitionLog } from './partition-log.ts';

const WRITE_MS = 30;
const SLOW_WRITE_MS = 4_000;

export interface SideTopicsOptions {
  readonly logs: readonly PartitionLog[];
  readonly chance: Chance;
  readonly faults: Faults;
}

/** The topics of letters, delays and carried records. */
export class SideTopics {
  readonly #options: SideTopicsOptions;
  /** By partition and offset. */
  readonly #carried = new Map<number, Map<number, KafkaRecord>>();

  constructor(options: SideTopicsOptions) {
    this.#options = options;
  }

  isCarried(partition: number, offset: number): boolean {
    return this.#carried.get(partition)?.has(offset) ?? false;
  }

  /** In order of their offsets. */
  async carried({ partition }: TopicPartition): Promise<readonly CarriedRecord[]> {
    await this.#write();
    const records = [...(this.#carried.get(partition)?.values() ?? [])];
    return records.sort((a, b) => a.offset - b.offset).map((record) => ({ generation: 0, record }));
  }

  get letters(): Letters {
    const reject = async (of: LetterOrigin, rejected: readonly { record: KafkaRecord }[]) => this.#settle(of, rejected);
    return { reject, bury: async () => {} };
  }

  get delays(): Delays {
    const delays: Partial<Delays> = {
      isForOthers: ({ headers }) => headers.kind === 'foreign',
      dueOf: ({ type }) => (type === 'late' ? 1 : undefined),
      take: (held, late) => this.#settle(held, late),
      prepareToCarry: () => this.#write(),
      carry: async ({ partition }, records) => {
        await this.#write();
        for (const record of records) this.#carriedOf(partition).set(record.offset, record);
      },
      release: async ({ partition }, offsets) => {
        await this.#write();
        for (const offset of offsets) this.#carriedOf(partition).delete(offset);
      },
    };
    return delays as Delays;
  }

  #carriedOf(partition: number): Map<number, KafkaRecord> {
    const known = this.#carried.get(partition) ?? new Map<number, KafkaRecord>();
    this.#carried.set(partition, known);
    return known;
  }

  async #settle({ partition }: TopicPartition, records: readonly { readonly record: KafkaRecord }[]): Promise<void> {
    if (records.length === 0) return;
    await this.#write();
    for (const { record } of records) {
      const entry = this.#options.logs[partition]?.at(record.offset);
      if (entry !== undefined) entry.isThrough = true;
    }
  }

  async #write(): Promise<void> {
    const { chance, faults } = this.#options;
    await chance.within(faults.strikes('slowLetter') ? SLOW_WRITE_MS : WRITE_MS);
    if (faults.strikes('lostLetter')) throw new SluiceError('LETTER_REFUSED', 'the topic takes nothing');
  }
}

const JOB: Job = {
  ...{ queue: 'q', name: 'n', data: 'x', attempts: 1, backoff: { baseMs: 1, maxMs: 1 } },
  ...{ timestamp: 0, delayMs: 0, priority: 0, about: {} },
};

export function stagesOf(topics: SideTopics, metrics: Metrics): Stages {
  return {
    decode: ({ headers: { kind = '', shard = '' } }) =>
      kind === 'letter' ? { reason: 'undecodable', error: 'no job' } : { event: { type: kind, json: shard }, drift: 0 },
    route: ({ json: shard }) => ({ shard, job: JOB }),
    letters: topics.letters,
    delays: topics.delays,
    metrics,
    clock: systemClock,
  };
}
