/**
 * The partitions in this bridge's hands: claimed after every join, claimed again when a claim is lost, let go when
 * they are revoked. What is away is asked again until the assignment is over; what makes no sense halts.
 */
import type { Clock } from '../clock.ts';
import { isSluiceError, messageOf } from '../errors.ts';
import type { Assignment, GroupConsumer, KafkaAdmin, TopicPartition } from '../kafka/consumer.ts';
import { partitionKey } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { ResetOrders } from '../presence/reset-orders.ts';
import { type ClaimOutcome, claimPartition, type KafkaView } from './assignment.ts';
import type { CarriedRecord } from './carried.ts';
import { HeldPartition } from './held-partition.ts';
import { encodeMetadata } from './metadata.ts';
import { type Loss, Recovery } from './recovery.ts';
import type { Shard } from './shard.ts';
import type { TopicPlan } from './topic-plan.ts';

const CLAIM_AGAIN_MS = 500;
/** A Redis that lost its ledgers tells it of each partition by itself; those of this time are claimed with one look at Kafka. */
const RECLAIM_TOGETHER_MS = 50;
/** A halted partition is looked at so often: an operator may have decided, or the trouble may be over. */
const HALTED_AGAIN_MS = 2_000;

export interface HoldingsOptions {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly admin: KafkaAdmin;
  /** The consumer that the claims are committed by. */
  readonly consumer: () => GroupConsumer;
  readonly plan: (topic: string) => TopicPlan;
  readonly shards: ReadonlyMap<string, Shard>;
  /** Records of unfinished jobs that the commit has passed. */
  readonly carried: (of: TopicPartition) => Promise<readonly CarriedRecord[]>;
  readonly orders?: ResetOrders | undefined;
  readonly onLoss?: ((loss: Loss) => void) | undefined;
  /** A partition has become ready, or is so no more. */
  readonly onChange: () => void;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Fires when the bridge stops. */
  readonly signal: AbortSignal;
}

export class Holdings {
  readonly #held = new Map<string, HeldPartition>();
  readonly #options: HoldingsOptions;
  #epoch = 0;
  #claims = 0;
  #watching: Promise<void> | undefined;
  readonly #reclaiming: HeldPartition[] = [];

  constructor(options: HoldingsOptions) {
    this.#options = options;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Grows with every claim that holds. */
  get claims(): number {
    return this.#claims;
  }

  get all(): readonly HeldPartition[] {
    return [...this.#held.values()];
  }

  get(partition: TopicPartition): HeldPartition | undefined {
    return this.#held.get(partitionKey(partition));
  }

  assigned({ epoch, partitions }: Assignment): void {
    this.#epoch = epoch;
    this.#held.clear();
    for (const each of partitions) this.#held.set(partitionKey(each), new HeldPartition(each, epoch));
    void this.#claimUntilHeld(this.all);
  }

  revoked(): void {
    for (const each of this.all) each.state = 'lost';
    this.#held.clear();
    this.#reportHalted();
  }

  /** Records were deleted before they were taken, or the log was cut: to go on elsewhere would hide a loss (rule 2). */
  outOfRange(partition: TopicPartition): void {
    const each = this.get(partition);
    if (each !== undefined) this.#halt(each, `the next record to take, offset ${each.position}, is not in the log`);
  }

  /** Kafka has forgotten what was committed: it does so with a topic that is deleted. */
  vanished(each: HeldPartition): void {
    if (!each.isReady) return;
    const reason = `the group's commit of offset ${each.committed} is gone`;
    this.#halt(each, `${reason}: the topic was made anew, or its offsets were deleted`);
    this.#options.onChange();
  }

  #halt(each: HeldPartition, reason: string): void {
    each.state = 'halted';
    if (each.isFlowing) this.#options.consumer().pause([each]);
    each.isFlowing = false;
    each.haltReason = reason;
    this.#tellHalted(each);
  }

  /** Rule 8: drop what is in flight, claim again, rewind to the committed offset. */
  reclaim(each: HeldPartition, status: string): void {
    if (!each.isReady) return;
    const { log, metrics, onChange } = this.#options;
    each.state = 'claiming';
    metrics.reclaims.inc({ cause: status });
    log.warn({ ...place(each), cause: status }, 'claim lost; claiming again from the committed offset');
    onChange();
    this.#reclaiming.push(each);
    if (this.#reclaiming.length === 1) void this.#reclaimTogether();
  }

  async #reclaimTogether(): Promise<void> {
    const { clock, signal } = this.#options;
    await clock.sleep(RECLAIM_TOGETHER_MS, signal);
    const together = this.#reclaiming.splice(0);
    await this.#claimUntilHeld(together.filter(({ state }) => state === 'claiming'));
  }

  /** Claims until every partition is ready, halted or lost. */
  async #claimUntilHeld(partitions: readonly HeldPartition[]): Promise<void> {
    const { log, clock, signal, onChange } = this.#options;
    let waiting = partitions;
    while (waiting.length > 0 && !signal.aborted) {
      try {
        const view = await this.#askKafka();
        const still = waiting.filter(({ state }) => state === 'claiming');
        await Promise.all(still.map((each) => this.#claimOnce(each, view)));
      } catch (error) {
        log.warn({ reason: messageOf(error) }, 'partitions not claimed yet; trying again');
      }
      waiting = waiting.filter(({ state }) => state === 'claiming');
      onChange();
      if (waiting.length > 0) await clock.sleep(CLAIM_AGAIN_MS, signal);
    }
  }

  async #askKafka(): Promise<KafkaView> {
    const { admin, groupId, topics } = this.#options;
    const [cluster, committed] = await Promise.all([admin.clusterId(), admin.committed(groupId, topics)]);
    // Asked after the commits, or a log that grew in between would seem to end below what was dealt with.
    return { cluster, group: groupId, committed, bounds: await admin.bounds(topics) };
  }

  /** One at a time: a second claim of a partition that is in work would take its place away under it. */
  async #claimOnce(each: HeldPartition, view: KafkaView): Promise<void> {
    if (each.isInClaim) return;
    const { plan, consumer, shards, admin, carried } = this.#options;
    const { outlets, fingerprint } = plan(each.topic);
    const boundsNow = () => admin.bounds([each.topic]);
    // A ledger is the same whoever asks for it.
    const allOutlets = [...shards.values()].map((shard) => ({ shard, sink: shard.sinks.bullmq }));
    const context = { consumer: consumer(), view, fingerprint, outlets, allOutlets, boundsNow };
    each.isInClaim = true;
    try {
      const outcome = await claimPartition(each, { ...context, carried: await carried(each) });
      if (outcome !== undefined) this.#tellClaimed(each, outcome);
    } catch (error) {
      this.#claimFailed(each, error);
    } finally {
      each.isInClaim = false;
    }
    if (each.state === 'halted') this.#tellHalted(each);
  }

  /** A refused commit says that somebody else may own the partition: to claim it again would disown them (rule 4). */
  #claimFailed(each: HeldPartition, error: unknown): void {
    const reason = messageOf(error);
    if (isSluiceError(error, 'DISOWNED')) each.state = 'lost';
    else if (reason !== each.claimTrouble)
      this.#options.log.warn({ ...place(each), reason }, 'partition not claimed yet; trying again');
    each.claimTrouble = reason;
  }

  #tellClaimed(each: HeldPartition, { removed, loss }: ClaimOutcome): void {
    each.claimTrouble = '';
    const { log, metrics, clock } = this.#options;
    this.#claims += 1;
    if (removed > 0) {
      metrics.jobsRemovedAgain.inc({ topic: each.topic }, removed);
      log.warn({ ...place(each), removed }, 'redis brought finished jobs back; they were removed');
    }
    if (loss === undefined) return;
    each.recovery = new Recovery({ at: clock.now(), ...loss }, each.recovery);
    log.warn({ ...place(each), ...loss }, 'redis has lost jobs; enqueueing again what is not finished');
  }

  /** Tells of each loss that has been made good since. */
  tellRecovered(): void {
    const { log, metrics, clock, onLoss } = this.#options;
    for (const each of this.all) {
      const loss = each.isReady ? each.recovery?.made(each, clock.now()) : undefined;
      if (loss === undefined) continue;
      each.recovery = undefined;
      metrics.lossesRecovered.inc({ topic: each.topic, kind: loss.kind });
      metrics.jobsEnqueuedAgain.inc({ topic: each.topic }, loss.enqueuedAgain);
      log.warn({ ...loss, at: undefined }, 'a loss of redis is made good');
      onLoss?.(loss);
    }
  }

  #tellHalted(each: HeldPartition): void {
    const { log } = this.#options;
    if (!each.isHaltTold) {
      const remedy = 'sluice offsets show, then sluice offsets reset';
      log.error({ ...place(each), reason: each.haltReason, remedy }, 'partition halted; an operator has to decide');
    }
    each.isHaltTold = true;
    this.#reportHalted();
    this.#watching ??= this.#watchHalted().finally(() => {
      this.#watching = undefined;
    });
  }

  /**
   * An operator may have records enqueued once more that were finished by being enqueued; other partitions have to be
   * halted before they can be moved.
   */
  async lookForReplays(): Promise<void> {
    const { orders, onChange } = this.#options;
    for (const each of this.all) {
      if (!each.isReady || each.shards.some(({ sink }) => sink.isTracked)) continue;
      if ((await orders?.read(each)) === undefined || !each.isReady) continue;
      // Nobody needs to be told to decide.
      each.isHaltTold = true;
      this.#halt(each, 'a replay was ordered');
      onChange();
    }
  }

  async #watchHalted(): Promise<void> {
    const { log, clock, signal, onChange } = this.#options;
    for (let halted = this.#halted(); halted.length > 0; halted = this.#halted()) {
      await clock.sleep(HALTED_AGAIN_MS, signal);
      if (signal.aborted) return;
      try {
        for (const each of this.#halted()) await this.#obey(each);
        const view = await this.#askKafka();
        for (const each of this.#halted()) await this.#claimHalted(each, view);
      } catch (error) {
        log.debug({ reason: messageOf(error) }, 'halted partitions not looked at; trying again');
      }
      onChange();
    }
  }

  #halted(): HeldPartition[] {
    return this.all.filter(({ state }) => state === 'halted');
  }

  async #claimHalted(each: HeldPartition, view: KafkaView): Promise<void> {
    await this.#claimOnce(each, view);
    if (!each.isReady) return;
    each.isHaltTold = false;
    this.#options.log.info({ ...place(each), committed: each.committed }, 'halted partition goes on');
    this.#reportHalted();
  }

  /** Commits what an operator has decided; from there on the partition is another one. */
  async #obey(each: HeldPartition): Promise<void> {
    const { orders, consumer, log } = this.#options;
    const order = await orders?.read(each);
    if (order === undefined || each.isLost) return;
    const { offset, metadata } = order;
    await consumer().commit(each.epoch, [{ ...place(each), offset, metadata: encodeMetadata(offset, metadata) }]);
    log.warn({ ...place(each), offset, generation: metadata.generation }, 'offset reset, as an operator decided');
    if (this.get(each) === each) {
      const fresh = new HeldPartition(each, each.epoch);
      fresh.state = 'halted';
      fresh.isHaltTold = true;
      this.#held.set(partitionKey(each), fresh);
      each.state = 'lost';
    }
    await orders?.remove(each);
  }

  #reportHalted(): void {
    const { topics, metrics } = this.#options;
    for (const topic of topics) {
      const halted = this.all.filter((each) => each.topic === topic && each.state === 'halted');
      metrics.partitionsHalted.set({ topic }, halted.length);
    }
  }
}

function place({ topic, partition }: HeldPartition): TopicPartition {
  return { topic, partition };
}
