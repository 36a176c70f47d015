/**
 * Jobs that a Sidekiq process took and lost: Ruby takes them off their queue before it runs them, and a process that is
 * killed tells nobody. They are searched for when a process has gone, and once in a while: what a ledger waits for, and
 * what is neither waiting, nor to run again, nor at work, was lost, and is put back from its record.
 *
 *   look    everywhere where a job can be; whatever is seen is not lost
 *   wait    until each living process has told twice what it runs; then what they run is not lost either
 *   look    once more; what moved from hand to hand meanwhile has been noted by those who moved it
 *
 * A job that is frozen for longer together with its process runs a second time when that process wakes up. One that an
 * operator has deleted comes back: nothing tells it from a lost one. One that lies dead without a report is reported, and so
 * is one whose record makes no job any more. On a queue that a process without the middleware works on, nothing is put back:
 * it would be run without end.
 */
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import { jobIdPrefix } from '../job/identity.ts';
import type { KafkaRecord } from '../kafka/consumer.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { PlacedJob } from '../queue/sink.ts';
import type { CarriedRecord } from './carried.ts';
import type { HeldPartition } from './held-partition.ts';
import type { Holdings } from './holdings.ts';
import type { Origins } from './origins.ts';
import { RangeSet } from './range-set.ts';
import type { Shard } from './shard.ts';
import { byPrefix, isHeld, lostFrom, nextLost, type Suspect, type Suspects, see } from './suspects.ts';
import type { TopicPlan } from './topic-plan.ts';

const LOOK_EVERY_MS = 2_000;
const SEARCH_FIRST_MS = 30_000;
const SEARCH_EVERY_MS = 300_000;
/** Lost jobs whose records are read together: a fetch brings many. */
const AT_ONCE = 50;
const BEATS = 2;
/** A process without a heartbeat for a minute is gone by Sidekiq's own rule. */
const BEATS_WITHIN_MS = 90_000;

/** In one partition and search; each is a record that is read for nothing. */
const MOST_WITHHELD = 1_000;

/** Queues with a process that does not tell what it has run. */
type SilentQueues = ReadonlyMap<string, string>;

export interface LostJobsOptions {
  readonly holdings: Holdings;
  readonly shards: ReadonlyMap<string, Shard>;
  readonly plan: (topic: string) => TopicPlan;
  readonly origins: Origins;
  /** Records that the commit has passed; see long-jobs.ts. */
  readonly carried: (of: HeldPartition) => Promise<readonly CarriedRecord[]>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Fires when the bridge stops. */
  readonly signal: AbortSignal;
}

export class LostJobs {
  readonly #options: LostJobsOptions;
  readonly #processes = new Map<Shard, ReadonlySet<string>>();
  #searchAt: number;

  constructor(options: LostJobsOptions) {
    this.#options = options;
    this.#searchAt = options.clock.now() + SEARCH_FIRST_MS;
  }

  async run(): Promise<void> {
    const { shards, clock, signal } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      for (const shard of shards.values()) if (!signal.aborted) await this.#look(shard);
    }
  }

  async #look(shard: Shard): Promise<void> {
    const suspects = this.#suspects(shard);
    if (suspects.length === 0 || !shard.isReachable) return;
    try {
      if (await this.#isDue(shard)) await this.#search(shard, suspects);
    } catch (error) {
      // No trouble of the shard's: it may be Kafka's, and the sampler sees by itself when Redis is away.
      this.#options.log.warn(
        { redis: shard.name, reason: messageOf(error) },
        'lost jobs not searched for; trying again',
      );
    }
  }

  /** A search that does not come to its end stays due. */
  async #isDue(shard: Shard): Promise<boolean> {
    const { clock } = this.#options;
    const present = new Set((await shard.sinks.census.beats()).keys());
    const before = this.#processes.get(shard) ?? new Set();
    this.#processes.set(shard, present);
    if ([...before].some((each) => !present.has(each))) this.#searchAt = clock.now();
    return clock.now() >= this.#searchAt;
  }

  #suspects(shard: Shard): Suspect[] {
    const sink = shard.sinks.sidekiq.acknowledged;
    const ready = this.#options.holdings.all.filter(({ isReady }) => isReady);
    return ready.flatMap((held) =>
      held.shards
        .filter((of) => of.sink === sink && of.finished.missingIn(0, of.acked + 1) > 0)
        .map((of) => ({ held, of, sink, seen: new RangeSet(of.finished.ranges), end: of.acked + 1 })),
    );
  }

  async #search(shard: Shard, suspects: readonly Suspect[]): Promise<void> {
    const { signal } = this.#options;
    const { census } = shard.sinks;
    const all = byPrefix(suspects);
    for (const { sink, of } of suspects) await sink.forgetMoved(of.claim, of.acked);
    await this.#read(shard, all);
    if (suspects.every((each) => nextLost(each, 0) === undefined)) return this.#through();
    const processes = await this.#untilTold(shard);
    for (const source of await census.running(processes)) see(all, source);
    await this.#read(shard, all);
    for (const { sink, of, seen } of suspects)
      for (const offset of await sink.moved(of.claim)) seen.add(offset, offset + 1);
    const silent = await census.silentQueues(processes);
    for (const each of suspects) if (!signal.aborted) await this.#reviveAll(shard, each, silent);
    this.#through();
  }

  #through(): void {
    this.#searchAt = this.#options.clock.now() + SEARCH_EVERY_MS;
  }

  async #read(shard: Shard, suspects: Suspects): Promise<void> {
    const dead: { suspect: Suspect; offset: number; text: string }[] = [];
    await shard.sinks.census.read({
      living: (source) => void see(suspects, source),
      dead: (source, text) => {
        const found = see(suspects, source);
        if (found !== undefined && !found.suspect.of.finished.has(found.offset)) dead.push({ ...found, text });
      },
    });
    for (const { suspect, offset, text } of dead)
      if (isHeld(suspect)) await suspect.sink.condemn(suspect.of.claim, suspect.of.acked, offset, text);
  }

  /** Answers the processes that live, each of which has told what it runs since this was called. */
  async #untilTold(shard: Shard): Promise<readonly string[]> {
    const { clock, signal } = this.#options;
    const [soonest, until] = [clock.now() + LOOK_EVERY_MS, clock.now() + BEATS_WITHIN_MS];
    const last = new Map(await shard.sinks.census.beats());
    const told = new Map<string, number>();
    for (;;) {
      const beats = await shard.sinks.census.beats();
      for (const [process, beat] of beats) {
        if (last.get(process) !== beat) told.set(process, (told.get(process) ?? 0) + 1);
        last.set(process, beat);
      }
      const living = [...beats.keys()];
      // One that has just started takes jobs before its first beat is seen.
      const isTold = clock.now() >= soonest && living.every((each) => (told.get(each) ?? 0) >= BEATS);
      if (isTold || clock.now() > until || signal.aborted) return living;
      await clock.sleep(LOOK_EVERY_MS / 2, signal);
    }
  }

  async #reviveAll(shard: Shard, suspect: Suspect, silent: SilentQueues): Promise<void> {
    const { log, metrics } = this.#options;
    const { topic, partition } = suspect.held;
    const withheld: string[] = [];
    let revived = 0;
    for (let from = 0; isHeld(suspect) && withheld.length < MOST_WITHHELD; ) {
      const lost = lostFrom(suspect, from, AT_ONCE);
      if (lost.length === 0) break;
      from = (lost.at(-1) as number) + 1;
      for (const placed of await this.#jobsOf(suspect, lost, silent)) {
        const process = silent.get(placed.job.queue);
        if (process !== undefined) withheld.push(process);
        else if (await this.#revive(shard, suspect, placed)) revived += 1;
      }
    }
    if (withheld.length > 0) {
      const facts = { topic, partition, withheld: withheld.length, process: withheld[0] };
      log.warn(facts, 'a process of sidekiq without the middleware may have run jobs; they are not enqueued again');
    }
    if (revived === 0) return;
    metrics.jobsEnqueuedAgain.inc({ topic }, revived);
    log.warn({ topic, partition, revived }, 'a process of sidekiq has lost jobs; they were enqueued again');
  }

  /** The jobs that can be made again. The others are given up, if nobody can have run them unseen. */
  async #jobsOf(suspect: Suspect, lost: readonly number[], silent: SilentQueues): Promise<PlacedJob[]> {
    const { held } = suspect;
    const records = await Promise.all(lost.map((offset) => this.#record(held, offset)));
    const placed: PlacedJob[] = [];
    for (const [i, offset] of lost.entries()) {
      const job = this.#jobOf(held, offset, records[i]);
      if (typeof job === 'object') placed.push({ offset, job });
      else if (silent.size === 0) await this.#giveUp(suspect, offset, job);
    }
    return placed;
  }

  async #record(held: HeldPartition, offset: number): Promise<KafkaRecord | undefined> {
    const found = await this.#options.origins.find(held, offset);
    if (found !== undefined || !held.carried.has(offset)) return found;
    const all = await this.#options.carried(held);
    return all.find((each) => each.generation === held.generation && each.record.offset === offset)?.record;
  }

  /** Or why there is none any more. */
  #jobOf({ topic, partition, generation }: HeldPartition, offset: number, record: KafkaRecord | undefined) {
    if (record === undefined) return 'the job was lost, and its record has left the log';
    const { decode, route } = this.#options.plan(topic).stages;
    const decoded = decode(record);
    const id = `${jobIdPrefix(topic, generation, partition)}${offset}`;
    const routed = 'reason' in decoded ? decoded : route(decoded.event, this.#options.clock.now(), id);
    return 'job' in routed ? routed.job : `the job was lost, and its record makes none any more: ${routed.error}`;
  }

  async #giveUp({ held, of, sink }: Suspect, offset: number, reason: string): Promise<void> {
    const { topic, partition } = held;
    this.#options.log.error({ topic, partition, offset, reason }, 'a lost job becomes a dead letter');
    if (isHeld({ held, of })) await sink.giveUp(of.claim, of.acked, offset, reason);
  }

  async #revive(shard: Shard, { held, of, sink }: Suspect, placed: PlacedJob): Promise<boolean> {
    const { clock, signal, holdings } = this.#options;
    while (isHeld({ held, of }) && !signal.aborted) {
      if (shard.isOpen) {
        const reply = await sink.revive(of.claim, of.acked, placed);
        if (typeof reply === 'boolean') return reply;
        holdings.reclaim(held, reply.status);
        return false;
      }
      await clock.sleep(LOOK_EVERY_MS, signal);
    }
    return false;
  }
}
