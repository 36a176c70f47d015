/**
 * What stock workers finish, read from the queues' own lists of completed and failed jobs. The lists only hint, and hold
 * the jobs of others too: each of ours is settled, or told to be dead, by a script that looks for itself. What a page
 * misses, because workers' clocks differ, is found when every job is looked at in turn.
 */
import type { Clock } from '../clock.ts';
import { sourceOf } from '../job/identity.ts';
import type { FinishedPage } from '../queue/sink.ts';
import type { Burials } from './burials.ts';
import type { Holdings } from './holdings.ts';
import type { LedgerCalls, Target } from './ledger-calls.ts';
import type { Shard } from './shard.ts';

const PAGES_A_ROUND = 5;
const SETTLE_A_CALL = 500;

export interface FinishedJobsOptions {
  readonly holdings: Holdings;
  readonly shards: ReadonlyMap<string, Shard>;
  /** Queues that may hold jobs of ours. */
  readonly queues: ReadonlySet<string>;
  readonly burials: Burials;
  readonly clock: Clock;
}

export class FinishedJobs {
  readonly #options: FinishedJobsOptions;
  readonly #calls: LedgerCalls;
  /** Where the next page begins, by shard, queue and state. */
  readonly #since = new Map<string, number>();
  #claims = -1;

  constructor(options: FinishedJobsOptions, calls: LedgerCalls) {
    this.#options = options;
    this.#calls = calls;
  }

  /** Answers how many were settled. A new claim may bring back older jobs: everything is read again then. */
  async read(): Promise<number> {
    const { holdings, shards, queues } = this.#options;
    if (this.#claims !== holdings.claims) this.#since.clear();
    this.#claims = holdings.claims;
    let found = 0;
    for (const shard of shards.values()) {
      for (const queue of queues) {
        if (!shard.isReachable) break;
        found += (await this.#readList(shard, queue, 'completed')) + (await this.#readList(shard, queue, 'failed'));
      }
    }
    return found;
  }

  /** A list that is not read to its end counts as one found, so that the next round comes soon. */
  async #readList(shard: Shard, queue: string, state: 'completed' | 'failed'): Promise<number> {
    const key = `${shard.name}/${queue}/${state}`;
    let found = 0;
    for (let page = 0; page < PAGES_A_ROUND; page++) {
      const since = this.#since.get(key) ?? 0;
      const read = await this.#readPage(shard, queue, state, since);
      if (read === undefined) return found;
      found += read.found;
      this.#since.set(key, Math.max(since, read.next));
      if (read.isLast) return found;
    }
    return found + 1;
  }

  /** Undefined when something was not answered: the page is read again. */
  async #readPage(shard: Shard, queue: string, state: 'completed' | 'failed', since: number) {
    let page: FinishedPage;
    try {
      page = await shard.sinks.bullmq.finishedSince(queue, state, since, this.#options.clock.now());
    } catch (error) {
      shard.failed(error);
      return undefined;
    }
    let found = 0;
    for (const [target, offsets] of this.#byTarget(shard, page.ids)) {
      const settled = await this.#settle(target, queue, offsets);
      if (settled === undefined) return undefined;
      found += settled;
    }
    return { ...page, found };
  }

  /** Those of partitions that are held, as far as the ledger is known to have dealt with them. */
  #byTarget(shard: Shard, ids: readonly string[]): Map<Target, number[]> {
    const targets = new Map(this.#calls.targets().map((target) => [target.of, target]));
    const found = new Map<Target, number[]>();
    for (const id of ids) {
      const source = sourceOf(id);
      const held = source && this.#options.holdings.get(source);
      const of = held?.shards.find((each) => each.shard === shard);
      const target = of && targets.get(of);
      if (target === undefined || source?.generation !== target.held.generation) continue;
      const offset = Number(source.offset);
      if (offset > target.of.acked) continue;
      const offsets = found.get(target) ?? [];
      offsets.push(offset);
      found.set(target, offsets);
    }
    return found;
  }

  async #settle(target: Target, queue: string, offsets: readonly number[]): Promise<number | undefined> {
    const { held, of } = target;
    let found = 0;
    for (let at = 0; at < offsets.length; at += SETTLE_A_CALL) {
      const some = offsets.slice(at, at + SETTLE_A_CALL);
      const reply = await this.#calls.ask(target, ({ shard, claim, acked }) =>
        shard.sinks.bullmq.settle(claim, acked, queue, some),
      );
      if (reply === undefined) return undefined;
      for (const offset of reply.settled) of.finished.add(offset, offset + 1);
      const dead = reply.dead.map((offset) => ({ offset, queue }));
      this.#options.burials.add(held, of, dead);
      found += reply.settled.length;
      this.#calls.tellSettled(held, 'completed', reply.settled.length);
    }
    return found;
  }
}
