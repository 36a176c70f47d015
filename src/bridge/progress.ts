/**
 * Looks after partitions that should flow and stand still. What lies before one may be no record at all, but the marks of
 * transactions: these are passed over, or the partition would seem behind for ever. Where a record waits that the Kafka
 * client does not bring for minutes, the client has stopped without a word, and the bridge should be started anew. A
 * record of a transaction that is not decided yet waits for its producer, however long that takes.
 */
import { SluiceError } from '../errors.ts';
import { type KafkaAdmin, type NextRecord, partitionKey, type RecordReader } from '../kafka/consumer.ts';
import type { HeldPartition } from './held-partition.ts';

const QUIET_AFTER_MS = 3_000;
const LOOK_EVERY_MS = 3_000;
const STUCK_AFTER_MS = 120_000;
const NOT_ANSWERED: NextRecord = { offset: 0, isRecord: false };

type Flowing = Pick<
  HeldPartition,
  'topic' | 'partition' | 'epoch' | 'position' | 'isFlowing' | 'isBusy' | 'sends' | 'passGap'
>;

interface Standing {
  readonly epoch: number;
  readonly position: number;
  /** Since when it may be the client's fault: nothing to read, or a Kafka that does not answer, is not. */
  readonly since: number;
}

export class ProgressWatch {
  readonly #admin: Pick<KafkaAdmin, 'bounds'>;
  readonly #reader: Pick<RecordReader, 'next'>;
  #standing = new Map<string, Standing>();
  #lookAt = 0;

  constructor(admin: Pick<KafkaAdmin, 'bounds'>, reader: Pick<RecordReader, 'next'>) {
    this.#admin = admin;
    this.#reader = reader;
  }

  /** Rejects UNREACHABLE for a partition that is stuck; `now` is in milliseconds. A Kafka that does not answer is passed by. */
  async look(partitions: readonly Flowing[], now: number): Promise<void> {
    const quiet = this.#quiet(partitions, now);
    if (quiet.length === 0 || now < this.#lookAt) return;
    this.#lookAt = now + LOOK_EVERY_MS;
    const bounds = await this.#admin.bounds([...new Set(quiet.map(({ topic }) => topic))]).catch(() => undefined);
    for (const each of quiet) {
      const end = bounds?.get(partitionKey(each))?.high ?? 0;
      if (end > each.position) await this.#lookAhead(each, now);
      else this.#startAnew(each, now);
    }
  }

  /** Those that have stood still for a while. */
  #quiet<P extends Flowing>(partitions: readonly P[], now: number): P[] {
    const before = this.#standing;
    this.#standing = new Map();
    return partitions.filter((each) => {
      if (!each.isFlowing || isAtWork(each)) return false;
      const { epoch, position } = each;
      const last = before.get(partitionKey(each));
      const isSame = last?.epoch === epoch && last.position === position;
      this.#standing.set(partitionKey(each), isSame ? last : { epoch, position, since: now });
      return this.#stoodFor(each, now) >= QUIET_AFTER_MS;
    });
  }

  #stoodFor(each: Flowing, now: number): number {
    return now - (this.#standing.get(partitionKey(each))?.since ?? now);
  }

  #startAnew(each: Flowing, now: number): void {
    const { epoch, position } = each;
    this.#standing.set(partitionKey(each), { epoch, position, since: now });
  }

  async #lookAhead(each: Flowing, now: number): Promise<void> {
    const { topic, partition, position } = each;
    const next = await this.#reader.next(topic, partition, position).catch(() => NOT_ANSWERED);
    if (!each.isFlowing || isAtWork(each) || each.position !== position) return;
    if (next.offset > position) each.passGap(next.offset);
    else if (!next.isRecord) this.#startAnew(each, now);
    else if (this.#stoodFor(each, now) >= STUCK_AFTER_MS) {
      const where = `${partitionKey(each)} at offset ${position}`;
      throw new SluiceError('UNREACHABLE', `no record of ${where} arrives although Kafka holds some`);
    }
  }
}

function isAtWork({ isBusy, sends }: Flowing): boolean {
  return isBusy || sends.areUnderWay;
}
