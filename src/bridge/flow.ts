/**
 * Lets records flow into the stages, and holds them back: while a gate is closed, while a queue or the dead-letter
 * topic refuses, while a claim is being made. A held partition is paused; the consumer keeps its place in the group.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { BatchControl, GroupConsumer, KafkaRecord, RecordBatch } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { CarriedRecord } from './carried.ts';
import { feed, takeBack } from './feed.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { Holdings } from './holdings.ts';
import type { FeedEnd, Sends } from './sends.ts';
import type { TopicPlan } from './topic-plan.ts';

const HOLD_BACK_MS = 2_000;

export interface FlowOptions {
  readonly holdings: Holdings;
  readonly consumer: () => GroupConsumer;
  readonly plan: (topic: string) => TopicPlan;
  readonly carried: (of: HeldPartition) => Promise<readonly CarriedRecord[]>;
  readonly log: Log;
  readonly clock: Clock;
  /** Fires when the bridge stops. */
  readonly signal: AbortSignal;
}

export class Flow {
  readonly #options: FlowOptions;
  readonly #watched = new Map<Sends, Promise<void>>();
  /** Carried records that the last look under a claim has not found. */
  readonly #missed = new WeakMap<readonly HeldShard[], ReadonlySet<number>>();

  constructor(options: FlowOptions) {
    this.#options = options;
  }

  /** Lets the partitions run that may, and holds the others. One in work is looked at again when it is through. */
  regulate(): void {
    for (const each of this.#options.holdings.all) {
      const may = this.#mayFlow(each);
      if (may === each.isFlowing || (may && each.isBusy)) continue;
      if (may) this.#letFlow(each);
      else this.#hold(each);
    }
  }

  holdAll(): void {
    for (const each of this.#options.holdings.all) if (each.isFlowing) this.#hold(each);
  }

  async records(batch: RecordBatch, control: BatchControl): Promise<void> {
    const { holdings, plan } = this.#options;
    const each = holdings.get(batch);
    if (each === undefined || each.epoch !== batch.epoch || !each.isReady || each.isBusy) return;
    each.isBusy = true;
    try {
      this.#after(each, await feed(each, batch, control, plan(batch.topic).stages));
    } catch (error) {
      // The client may go on without joining again, from a place that is ahead of the partition's.
      if (this.#isHeld(each)) this.#hold(each);
      throw error;
    } finally {
      each.isBusy = false;
      this.#watch(each);
      this.regulate();
    }
  }

  /** Resolves when nothing is on its way to a shard. */
  async sent(): Promise<void> {
    await Promise.all(this.#watched.values());
  }

  /** What fails after its batch was handled. Of a batch that came meanwhile, `feed` finds it out by itself. */
  #watch(each: HeldPartition): void {
    const { sends } = each;
    const isThrough = !sends.areUnderWay && sends.failure === undefined;
    if (isThrough || this.#watched.has(sends)) return;
    const watched = sends.fewerThan(1).then(() => {
      this.#watched.delete(sends);
      const { failure } = sends;
      if (each.isBusy || each.sends !== sends || failure === undefined) return;
      takeBack(each, sends);
      this.#after(each, failure);
      this.regulate();
    });
    this.#watched.set(sends, watched);
  }

  #mayFlow(each: HeldPartition): boolean {
    const { plan, clock, signal } = this.#options;
    if (!each.isReady || each.heldBackUntil > clock.now() || signal.aborted) return false;
    return plan(each.topic).outlets.every(({ shard }) => shard.isOpen);
  }

  /** What Redis has lost of the carried records is not in the log any more, or the commit has passed it. */
  #letFlow(each: HeldPartition): void {
    if (each.position < each.committed) return void this.#feedCarried(each);
    const consumer = this.#options.consumer();
    consumer.seek(each, each.position);
    consumer.resume([each]);
    each.isFlowing = true;
  }

  async #feedCarried(each: HeldPartition): Promise<void> {
    const { log, plan, carried } = this.#options;
    const { topic, partition, epoch, committed: end } = each;
    each.isBusy = true;
    try {
      const known = (await carried(each)).filter(({ generation }) => generation === each.generation);
      const records = known
        .map(({ record }) => record)
        .filter(({ offset }) => offset < end && each.carried.has(offset));
      this.#expectAll(each, records, end);
      const batch = { topic, partition, epoch, records, start: each.position, end, highWatermark: end };
      this.#after(each, await feed(each, batch, untilClaimed(each), plan(topic).stages));
    } catch (error) {
      this.#holdBack(each);
      log.warn({ topic, partition, reason: messageOf(error) }, 'carried records not read yet; their partition waits');
    } finally {
      each.isBusy = false;
      this.#watch(each);
      this.regulate();
    }
  }

  /**
   * Only somebody else can have deleted one: Kafka keeps them until their job is finished. Meanwhile the commit may have
   * passed others, which nobody has looked for: `end` is where it stood. One look may be wrong: a broker that has just started
   * knows no topic.
   */
  #expectAll(each: HeldPartition, records: readonly KafkaRecord[], end: number): void {
    const found = new Set(records.map(({ offset }) => offset));
    const missing = [...each.carried].filter((offset) => offset < end && !found.has(offset));
    const missedBefore = this.#missed.get(each.shards);
    this.#missed.set(each.shards, new Set(missing));
    if (missing.length === 0) return;
    if (missing.some((offset) => !missedBefore?.has(offset)))
      throw new Error(`${missing.length} are missing, the first of offset ${missing[0]}; they are looked for again`);
    for (const offset of missing) giveUp(each, offset);
    this.#options.log.error({ topic: each.topic, partition: each.partition, missing }, 'carried records are not there');
  }

  /** What an assignment that is over has left behind has no say in the next one's partition of that name. */
  #isHeld(each: HeldPartition): boolean {
    return this.#options.holdings.get(each) === each;
  }

  #hold(each: HeldPartition): void {
    this.#options.consumer().pause([each]);
    each.isFlowing = false;
  }

  /** Whatever was not taken is read again: the partition is held, and let flow from the last acknowledged offset. */
  #after(each: HeldPartition, end: FeedEnd): void {
    const { holdings, log } = this.#options;
    const { topic, partition } = each;
    if (end.kind === 'taken' || end.kind === 'revoked' || !this.#isHeld(each)) return;
    this.#hold(each);
    if (end.kind === 'disowned') holdings.reclaim(each, end.status);
    if (end.kind === 'refused') {
      this.#holdBack(each);
      log.error({ queue: end.queue, why: end.why, remedy: remedyFor(end.why) }, 'queue refused; its partition waits');
    }
    if (end.kind === 'letters') {
      this.#holdBack(each);
      log.error({ err: end.error, topic, partition }, 'dead letter refused; its partition waits');
    }
    if (end.kind === 'ahead')
      log.warn({ topic, partition, position: each.position }, 'records from further on; going back');
    if (end.kind === 'hole') {
      this.#holdBack(each);
      log.error({ topic, partition, position: each.position }, 'a cut would have left a hole; it was not sent');
    }
    if (end.kind === 'failed') {
      this.#holdBack(each);
      log.error({ err: end.error, topic, partition }, 'batch failed; it is read again');
    }
    if (end.kind === 'late') {
      this.#holdBack(each);
      log.warn({ topic, partition, reason: messageOf(end.error) }, 'delay topic refused; its partition waits');
    }
  }

  #holdBack(each: HeldPartition): void {
    const { clock, signal } = this.#options;
    each.heldBackUntil = clock.now() + HOLD_BACK_MS;
    void clock.sleep(HOLD_BACK_MS + 1, signal).then(() => this.regulate());
  }
}

/** As all that the commit has passed: else whatever comes behind would seem to leave a hole. */
function giveUp({ carried, shards }: HeldPartition, offset: number): void {
  carried.delete(offset);
  // A shard that is beyond has the job, or has it finished.
  for (const { finished, acked } of shards) if (acked < offset) finished.add(offset, offset + 1);
}

/** What was not fetched by the consumer needs no heartbeat of ours, and resolves nothing. */
function untilClaimed(each: HeldPartition): BatchControl {
  return { isCurrent: () => each.isReady, resolve: () => {}, heartbeat: async () => {} };
}

function remedyFor(why: string): string {
  if (why.startsWith('paused-by') || why.startsWith('legacy-paused')) {
    return 'resume the queue, or upgrade its BullMQ to 6: older versions lose jobs added to a paused queue when they resume it';
  }
  if (why.startsWith('untested-version')) return 'use BullMQ 5 or 6 for this queue, or another queue for the topic';
  return 'use another queue or prefix: a key of the queue holds something else';
}
