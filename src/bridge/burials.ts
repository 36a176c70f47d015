/**
 * Dead jobs on their way to the dead-letter topic (rule 14): a job leaves the queue, and counts as finished, only when
 * Kafka has acked its letter and the job is still dead. A letter that is refused is tried again, and the job stays where
 * it is until then.
 */
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type DeadJob, isFenced } from '../queue/sink.ts';
import { createSeldom, type Seldom } from '../seldom.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { Letters } from './letters.ts';

const AGAIN_AFTER_MS = 2_000;
/** Each holds a job and its record in memory; the others wait. */
const UNDER_WAY = 100;
const AT_ONCE = 1;

export interface BurialsOptions {
  readonly letters: Letters;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** The fence no longer holds. */
  readonly onFenced: (held: HeldPartition, status: string) => void;
}

export class Burials {
  readonly #options: BurialsOptions;
  #underWay = 0;
  /** A Kafka that is away refuses the letters of all dead jobs at once. */
  readonly #seldom: Seldom;

  constructor(options: BurialsOptions) {
    this.#options = options;
    this.#seldom = createSeldom(options.clock);
  }

  add(held: HeldPartition, of: HeldShard, dead: readonly DeadJob[]): void {
    for (const each of dead) {
      if (held.dead.has(each.offset)) continue;
      held.dead.set(each.offset, { job: each, of, tryAt: AT_ONCE });
      void this.#tryNow(held, each.offset);
    }
  }

  /** Those whose letter was refused a while ago, and those that waited for their turn. */
  retry(partitions: readonly HeldPartition[]): void {
    const now = this.#options.clock.now();
    for (const held of partitions) {
      for (const [offset, { tryAt }] of held.dead) if (tryAt > 0 && tryAt <= now) void this.#tryNow(held, offset);
    }
  }

  async #tryNow(held: HeldPartition, offset: number): Promise<void> {
    const { log, clock } = this.#options;
    const dead = held.dead.get(offset);
    if (dead === undefined || this.#underWay >= UNDER_WAY) return;
    this.#underWay += 1;
    held.dead.set(offset, { ...dead, tryAt: 0 });
    try {
      await this.#bury(held, dead.of, dead.job);
      held.dead.delete(offset);
    } catch (error) {
      held.dead.set(offset, { ...dead, tryAt: clock.now() + AGAIN_AFTER_MS });
      const passedOver = this.#seldom(held.topic);
      if (passedOver === undefined) return;
      const { topic, partition } = held;
      log.error({ err: error, topic, partition, offset, passedOver }, 'a dead job waits for its letter');
    } finally {
      this.#underWay -= 1;
      this.#nextOf(held);
    }
  }

  #nextOf(held: HeldPartition): void {
    for (const [offset, { tryAt }] of held.dead) if (tryAt === AT_ONCE) return void this.#tryNow(held, offset);
  }

  async #bury(held: HeldPartition, of: HeldShard, job: DeadJob): Promise<void> {
    const { letters, metrics, onFenced } = this.#options;
    const { sink } = of;
    const isPresent = () => held.isReady && held.shards.includes(of);
    const report = await sink.report(of.claim, job);
    if (report === undefined || !isPresent()) return;
    await letters.bury(held, job, report);
    if (!isPresent()) return;
    const buried = await sink.bury(of.claim, of.acked, job);
    // A reply to an earlier claim says nothing about the present one.
    if (!isPresent()) return;
    if (isFenced(buried)) return onFenced(held, buried.status);
    if (!buried) return;
    of.finished.add(job.offset, job.offset + 1);
    metrics.recordsSettled.inc({ topic: held.topic, outcome: 'dead' });
  }
}
