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
import type { Block, Counted, Listed } from '../queue/sink.ts';
import type { Burials } from './burials.ts';
import { FinishedJobs } from './finished-jobs.ts';
import type { HeldShard } from './held-partition.ts';
import { LedgerCalls, type LedgerCallsOptions, type Target } from './ledger-calls.ts';
import { concluded } from './rules.ts';
import type { Shard } from './shard.ts';

/** Blocks counted at the bottom in every round, and on the way round. */
const COUNT_BOTTOM = 32;
const COUNT_ROUND = 128;
const COUNT_ROUND_EVERY_MS = 2_000;
/** Changed blocks that are listed in one round. */
const LIST_BLOCKS = 16;
const INSPECT_JOBS = 512;
const INSPECTS_A_ROUND = 40;
/** A million jobs that wait idle cost Redis less than a hundredth of its time, most of it here. */
const INSPECT_EVERY_MS = 1_250;

export interface SettlerOptions extends LedgerCallsOptions {
  readonly shards: ReadonlyMap<string, Shard>;
  /** BullMQ queues that may hold jobs of ours. */
  readonly queues: Set<string>;
  readonly burials: Burials;
  readonly clock: Clock;
}

export class Settler {
  readonly #options: SettlerOptions;
  readonly #calls: LedgerCalls;
  readonly #finishedJobs: FinishedJobs;
  #turn = 0;
  #countAt = 0;
  #inspectAt = 0;

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#calls = new LedgerCalls(options);
    this.#finishedJobs = new FinishedJobs(options, this.#calls);
  }

  /** One round over everything that is held; answers how many jobs it found finished. */
  async round(): Promise<number> {
    const targets = this.#calls.targets();
    const isRoundDue = this.#isDue(this.#countAt);
    if (isRoundDue) this.#countAt = this.#in(COUNT_ROUND_EVERY_MS);
    let found = 0;
    for (const target of targets) found += await this.#countTarget(target, isRoundDue);
    found += await this.#finishedJobs.read();
    found += await this.#inspectNext(targets);
    this.#options.burials.retry(targets.map(({ held }) => held));
    return found;
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
    const reply = await this.#calls.ask(target, ({ sink, claim, acked }) => sink.count(claim, acked, from, blocks));
    if (reply === undefined) return undefined;
    if (target.of.sink === target.of.shard.sinks.bullmq)
      for (const queue of reply.queues) this.#options.queues.add(queue);
    let found = this.#concludeCount(target, reply);
    for (const run of changedRuns(target.of, reply.blocks).slice(0, LIST_BLOCKS))
      found += await this.#list(target, run);
    for (const start of reply.changed) found += await this.#list(target, { start, end: start, unsettled: 1 });
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
    this.#calls.tellSettled(held, 'completed', found);
    return found;
  }

  async #list(target: Target, { start, unsettled }: Block): Promise<number> {
    const budget = Math.max(1, unsettled);
    const reply = await this.#calls.ask(target, ({ sink, claim, acked }) => sink.list(claim, acked, start, budget));
    if (reply === undefined) return 0;
    const found = conclude(target.of, reply);
    this.#calls.tellSettled(target.held, 'completed', found);
    return found;
  }

  /** Goes round the partitions that wait for something, so many jobs a second, and on while most are finished. */
  async #inspectNext(targets: readonly Target[]): Promise<number> {
    const waiting = targets.filter(({ of }) => of.finished.missingIn(0, of.acked + 1) > 0);
    if (waiting.length === 0 || !this.#isDue(this.#inspectAt)) return 0;
    this.#inspectAt = this.#in(INSPECT_EVERY_MS);
    let [found, looked] = [0, 0];
    for (let turns = 0; turns < Math.min(waiting.length, INSPECTS_A_ROUND) && looked < INSPECT_JOBS; turns++) {
      const target = waiting[this.#turn++ % waiting.length] as Target;
      for (let looks = 0; looks < INSPECTS_A_ROUND; looks++) {
        const seen = await this.#inspect(target);
        found += seen.settled;
        looked += seen.left;
        if (seen.settled < INSPECT_JOBS / 2) break;
      }
    }
    return found;
  }

  async #inspect(target: Target): Promise<{ settled: number; left: number }> {
    const { held, of } = target;
    const from = Math.max(of.looked, of.finished.nextMissing(0));
    const reply = await this.#calls.ask(target, ({ sink, claim, acked }) =>
      sink.inspect(claim, acked, from, INSPECT_JOBS),
    );
    if (reply === undefined) return { settled: 0, left: 0 };
    conclude(of, reply);
    of.looked = reply.end > reply.enqueued ? 0 : reply.end;
    this.#options.burials.add(held, of, reply.dead);
    this.#calls.tellSettled(held, 'completed', reply.completed);
    this.#calls.tellSettled(held, 'gone', reply.gone);
    return { settled: reply.completed + reply.gone, left: reply.unsettled.length };
  }
}

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
