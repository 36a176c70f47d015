/**
 * The right to write beside the log of one partition: late records and carried ones. Each write is one transaction, and
 * only whoever opened the lane last can make one. To open it shuts out whoever had it before, has Kafka undo what that one
 * had begun, and only then reads the state: two bridges that believe to have a partition cannot both make a step.
 *
 * After a step that failed it is not known what became of it: the next one opens the lane anew and finds out.
 */
import { isSluiceError } from '../errors.ts';
import { delayStateTopic } from '../job/late.ts';
import {
  type AddressedRecord,
  type KafkaAdmin,
  partitionKey,
  type RecordReader,
  type TopicPartition,
  type TransactionalProducer,
} from '../kafka/consumer.ts';
import { type DelayState, NOTHING_TAKEN, readState, stateRecord } from './delay-state.ts';

const STOP_MS = 1_000;
export const NO_LOG = { low: 0, high: 0 };

export interface LaneOptions {
  readonly group: string;
  /** Each that starts shuts out those before it. */
  readonly producer: () => TransactionalProducer;
  readonly reader: RecordReader;
  readonly admin: Pick<KafkaAdmin, 'bounds' | 'topics'>;
  /** Makes a topic beside the log, or its partition, where it is missing. */
  readonly ensure: (topic: string, of: TopicPartition) => Promise<void>;
}

export class Lane {
  readonly of: TopicPartition;
  readonly options: LaneOptions;
  /** Grows each time that it is opened: what was known from before may be out of date. */
  openings = 0;
  #producer: TransactionalProducer | undefined;
  #state: DelayState | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor({ topic, partition }: TopicPartition, options: LaneOptions) {
    this.of = { topic, partition };
    this.options = options;
  }

  /** As it was last known; nothing while that is not certain. */
  get state(): DelayState {
    return this.#state ?? NOTHING_TAKEN;
  }

  /** One step at a time. */
  inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        this.#state ??= await this.#open();
        return await step();
      } catch (error) {
        this.#state = undefined;
        throw error;
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** As `inTurn`, after which nobody who had the lane before can have written anything that the step did not see. */
  inTurnAnew<T>(step: () => Promise<T>): Promise<T> {
    this.#last = this.#last.then(() => {
      this.#state = undefined;
    });
    return this.inTurn(step);
  }

  /** Only within a turn. All or none, with the state that they lead to. */
  async write(records: readonly AddressedRecord[], state = this.state): Promise<void> {
    const { group, ensure } = this.options;
    for (const topic of new Set(records.map((each) => each.topic))) {
      if (topic !== this.of.topic) await ensure(topic, this.of);
    }
    const topic = delayStateTopic(this.of.topic, group);
    await this.#producer?.write([...records, { ...stateRecord(this.of.partition, state), topic }]);
    this.#state = state;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#producer?.stop(STOP_MS);
  }

  async #open(): Promise<DelayState> {
    const { producer, reader, admin, ensure, group } = this.options;
    const place = { topic: delayStateTopic(this.of.topic, group), partition: this.of.partition };
    this.openings += 1;
    await ensure(place.topic, this.of);
    await this.#producer?.stop(STOP_MS);
    this.#producer = producer();
    await this.#producer.start();
    const bounds = (await admin.bounds([place.topic])).get(partitionKey(place)) ?? NO_LOG;
    const state = (await readState(place, bounds, reader)) ?? NOTHING_TAKEN;
    return (await this.#isOfThisLog(state)) ? state : { ...state, takenTo: 0, takenAt: 0 };
  }

  /** A topic that was made anew begins again: what was taken from the old one says nothing about its records. */
  async #isOfThisLog({ takenTo, takenAt }: DelayState): Promise<boolean> {
    if (takenTo === 0) return true;
    const last = takenTo - 1;
    try {
      const [record] = await this.options.reader.read(this.of.topic, this.of.partition, last, { maxRecords: 1 });
      return record?.offset === last && record.timestamp === takenAt;
    } catch (error) {
      if (!isSluiceError(error, 'OUT_OF_RANGE')) throw error;
      // Records that left the log are not read again; a log that ends below is another one, whose records are all fresh.
      return false;
    }
  }
}
