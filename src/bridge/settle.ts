/**
 * Stage 6: learns which jobs are finished (rules 12 to 14), at a cost that follows what finishes and not what waits.
 *
 *   count     how many offsets of each block are unsettled; what Sluice's own hosts finished shows as a smaller number
 *   list      the blocks that have changed
 *   finished  the ids that queues list as completed or failed: what stock workers finished
 *   inspect   every job in turn, slowly: what was removed by somebody else, and whatever the others missed
 *
 * Everything is concluded from one reply that passed the ledger's checks. A Redis that fails a call closes its gate.
 */
import type { Clock } from '../clock.ts';
import { sourceOf } from '../job/identity.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Block, type Counted, type Fenced, isFenced, type Listed } from '../queue/sink.ts';
import type { Burials } from './burials.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { Holdings } from './holdings.ts';
import { concluded } from './rules.ts';
import type { Shard } from './shard.ts';

/** Blocks counted at the bottom in every round, and on the way round. */
const COUNT_BOTTOM = 32;
const COUNT_ROUND = 128;
const COUNT_ROUND_EVERY_MS = 1_000;
/** Changed blocks that are listed in one round. */
const LIST_BLOCKS = 16;
const FINISHED_PAGES = 5;
const SETTLE_A_CALL = 500;
const INSPECT_JOBS = 512;
const INSPECTS_A_ROUND = 40;
const INSPECT_EVERY_MS = 1_000;

export interface SettlerOptions {
  readonly holdings: Holdings;
  readonly shards: ReadonlyMap<string, Shard>;
  /** Queues that may hold jobs of ours. */
  readonly queues: Set<string>;
  readonly burials: Burials;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
}

/** A partition's ledger in one shard, and the partition. */
interface Target {
  readonly held: HeldPartition;
  readonly of: HeldShard;
}

export class Settler {
  readonly #options: SettlerOptions;
  /** Where the next page of finished jobs begins, by shard, queue and state. */
  readonly #since = new Map<string, number>();
  #claims = -1;
  #turn = 0;
  #countAt = 0;
  #inspectAt = 0;

  constructor(options: SettlerOptions) {
    this.#options = options;
  }

  /** One round over everything that is held; answers how many jobs it found finished. */
  async round(): Promise<number> {
    const targets = this.#targets();
    const isRoundDue = this.#isDue(this.#countAt);
    if (isRoundDue) this.#countAt = this.#in(COUNT_ROUND_EVERY_MS);
    let found = 0;
    for (const target of targets) found += await this.#countTarget(target, isRoundDue);
    found += await this.#readFinished();
    found += await this.#inspectNext(targets);
    this.#options.burials.retry(targets.map(({ held }) => held));
    return found;
  }

  #targets(): Target[] {
    const ready = this.#options.holdings.all.filter(({ isReady }) => isReady);
    return ready.flatMap((held) => held.shards.map((of) => ({ held, of })));
  }

  #isDue(at: number): boolean {
    return this.#options.clock.now() >= at;
  }

  #in(ms: number): number {
    return this.#options.clock.now() + ms;
  }

  async #countTarget({ held, of }: Target, isRoundDue: boolean): Promise<number> {
    const bottom = of.finished.nextMissing(0);
    const low = await this.#count({ held, of }, bottom, COUNT_BOTTOM);
    if (low === undefined) return 0;
    let found = low.found;
    if (!isRoundDue || low.end > of.acked) return found;
    const high = await this.#count({ held, of }, Math.max(of.counted, low.end), COUNT_ROUND);
    if (high === undefined) return found;
    of.counted = high.end > of.acked ? 0 : high.end;
    found += high.found;
    return found;
  }

  async #count(target: Target, from: number, blocks: number): Promise<{ end: number; found: number } | undefined> {
    const reply = await this.#ask(target, ({ shard, claim, acked }) => shard.sink.count(claim, acked, from, blocks));
    if (reply === undefined) return undefined;
    for (const queue of reply.queues) this.#options.queues.add(queue);
    let found = this.#concludeCount(target, reply);
    for (const run of changedRuns(target.of, reply.blocks).slice(0, LIST_BLOCKS))
      found += await this.#list(target, run);
    return { end: reply.end, found };
  }

  /** What lies in no block is settled. */
  #concludeCount({ held, of }: Target, { from, end, blocks }: Counted): number {
    let [at, found] = [from, 0];
    for (const block of [...blocks, { start: end, end }]) {
      found += of.finished.missingIn(at, block.start);
      of.finished.add(at, block.start);
      at = block.end;
    }
    this.#tellSettled(held, 'completed', found);
    return found;
  }

  async #list(target: Target, { start, unsettled }: Block): Promise<number> {
    const budget = Math.max(1, unsettled);
    const reply = await this.#ask(target, ({ shard, claim, acked }) => shard.sink.list(claim, acked, start, budget));
    if (reply === undefined) return 0;
    const found = conclude(target.of, reply);
    this.#tellSettled(target.held, 'completed', found);
    return found;
  }

  /** What stock workers have finished. A new claim may bring back older jobs: everything is read again then. */
  async #readFinished(): Promise<number> {
    const { holdings, shards, queues } = this.#options;
    if (this.#claims !== holdings.claims) this.#since.clear();
    this.#claims = holdings.claims;
    let found = 0;
    for (const shard of shards.values()) {
      if (!shard.isReachable) continue;
      for (const queue of queues) found += await this.#readQueue(shard, queue);
    }
    return found;
  }

  async #readQueue(shard: Shard, queue: string): Promise<number> {
    let found = 0;
    for (const state of ['completed', 'failed'] as const) {
      const key = `${shard.sink.name}/${queue}/${state}`;
      for (let page = 0; page < FINISHED_PAGES; page++) {
        const since = this.#since.get(key) ?? 0;
        const { ids, next } = await shard.sink.finishedSince(queue, state, since).catch(() => NO_PAGE);
        for (const [target, offsets] of this.#byTarget(shard, ids)) found += await this.#settle(target, queue, offsets);
        this.#since.set(key, Math.max(since, next));
        if (ids.length === 0 || next <= since) break;
      }
    }
    return found;
  }

  #byTarget(shard: Shard, ids: readonly string[]): Map<Target, number[]> {
    const targets = new Map<HeldPartition, Target>();
    const offsets = new Map<Target, number[]>();
    for (const id of ids) {
      const source = sourceOf(id);
      const held = source && this.#options.holdings.get(source);
      const of = held?.shards.find((each) => each.shard === shard);
      if (held?.generation !== source?.generation || held === undefined || of === undefined) continue;
      const target = targets.get(held) ?? { held, of };
      targets.set(held, target);
      offsets.set(target, [...(offsets.get(target) ?? []), Number(source?.offset)]);
    }
    return offsets;
  }

  async #settle(target: Target, queue: string, offsets: readonly number[]): Promise<number> {
    const { burials } = this.#options;
    const { held, of } = target;
    let found = 0;
    for (let at = 0; at < offsets.length; at += SETTLE_A_CALL) {
      const some = offsets.slice(at, at + SETTLE_A_CALL);
      const reply = await this.#ask(target, ({ shard, claim, acked }) => shard.sink.settle(claim, acked, queue, some));
      if (reply === undefined) return found;
      for (const offset of reply.settled) of.finished.add(offset, offset + 1);
      burials.add(
        held,
        of,
        reply.dead.map((offset) => ({ offset, queue })),
      );
      found += reply.settled.length;
    }
    this.#tellSettled(held, 'completed', found);
    return found;
  }

  /** One partition at a time, and on while most of what it looks at is finished. */
  async #inspectNext(targets: readonly Target[]): Promise<number> {
    const target = targets[this.#turn % targets.length];
    if (target === undefined || !this.#isDue(this.#inspectAt)) return 0;
    let found = 0;
    for (let looks = 0; looks < INSPECTS_A_ROUND; looks++) {
      const settled = await this.#inspect(target);
      found += settled;
      if (settled < INSPECT_JOBS / 2) break;
    }
    this.#turn += 1;
    this.#inspectAt = this.#in(INSPECT_EVERY_MS);
    return found;
  }

  async #inspect(target: Target): Promise<number> {
    const { held, of } = target;
    const from = Math.max(of.looked, of.finished.nextMissing(0));
    const reply = await this.#ask(target, ({ shard, claim, acked }) =>
      shard.sink.inspect(claim, acked, from, INSPECT_JOBS),
    );
    if (reply === undefined) return 0;
    conclude(of, reply);
    of.looked = reply.end > reply.enqueued ? 0 : reply.end;
    this.#options.burials.add(held, of, reply.dead);
    this.#tellSettled(held, 'completed', reply.completed);
    this.#tellSettled(held, 'gone', reply.gone);
    return reply.completed + reply.gone;
  }

  #tellSettled({ topic }: HeldPartition, outcome: 'completed' | 'gone', count: number): void {
    if (count > 0) this.#options.metrics.recordsSettled.inc({ topic, outcome }, count);
  }

  /** Undefined for a call that failed, and for an answer that must not be used. */
  async #ask<T extends { readonly status: 'ok' }>(
    { held, of }: Target,
    question: (of: HeldShard) => Promise<T | Fenced>,
  ): Promise<T | undefined> {
    if (!held.isReady || !of.shard.isReachable) return undefined;
    let reply: T | Fenced;
    try {
      reply = await question(of);
    } catch (error) {
      of.shard.failed(error);
      return undefined;
    }
    // A reply to an earlier claim is ignored.
    if (!held.isReady || !held.shards.includes(of)) return undefined;
    if (isFenced(reply)) {
      this.#options.holdings.reclaim(held, reply.status);
      return undefined;
    }
    return reply;
  }
}

const NO_PAGE = { ids: [], next: 0 };

/** Everything of the stretch that is not listed is finished (rule 13); answers how much of it was not known to be. */
function conclude({ finished }: HeldShard, reply: Listed): number {
  const { start, end, except } = concluded(reply);
  const before = finished.missingIn(start, end);
  finished.addExcept(start, end, except);
  return before - finished.missingIn(start, end);
}

/** Blocks with fewer unsettled offsets than are believed to be in them; neighbours as one. */
function changedRuns({ finished }: HeldShard, blocks: readonly Block[]): Block[] {
  const runs: Block[] = [];
  let isAfterChanged = false;
  for (const { start, end, unsettled } of blocks) {
    const isChanged = unsettled < finished.missingIn(start, end);
    const last = runs.at(-1);
    if (isChanged && isAfterChanged && last !== undefined)
      runs[runs.length - 1] = { start: last.start, end, unsettled: last.unsettled + unsettled };
    else if (isChanged) runs.push({ start, end, unsettled });
    isAfterChanged = isChanged;
  }
  return runs;
}
