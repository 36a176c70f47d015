/**
 * Questions to the ledgers of the partitions that are held: an answer is used only while the claim that it was given to
 * is the present one. A Redis that fails a call closes its gate; a fence that no longer holds has the partition claimed
 * again.
 */
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { type Fenced, isFenced } from '../queue/sink.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { Holdings } from './holdings.ts';

export interface LedgerCallsOptions {
  readonly holdings: Holdings;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** A partition's ledger in one shard, and the partition. */
export interface Target {
  readonly held: HeldPartition;
  readonly of: HeldShard;
}

export class LedgerCalls {
  readonly #options: LedgerCallsOptions;

  constructor(options: LedgerCallsOptions) {
    this.#options = options;
  }

  targets(): Target[] {
    const ready = this.#options.holdings.all.filter(({ isReady }) => isReady);
    return ready.flatMap((held) => held.shards.map((of) => ({ held, of })));
  }

  /** Undefined for a call that failed, and for an answer that must not be used. */
  async ask<T extends { readonly status: 'ok' }>(
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

  tellSettled({ topic }: HeldPartition, outcome: 'completed' | 'gone', count: number): void {
    if (count === 0) return;
    this.#options.metrics.recordsSettled.inc({ topic, outcome }, count);
    if (outcome === 'gone')
      this.#options.log.warn({ topic, count }, 'jobs were removed from their queue; they count as finished');
  }
}
