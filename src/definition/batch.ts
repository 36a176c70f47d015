/**
 * Workers that take many messages at once. A batch is made of jobs that run at the same time: each keeps its own attempt,
 * time limit and outcome.
 */
import type { Log } from '../log.ts';
import { failureOf } from './outcomes.ts';
import type { Outcome, TrackerFields, WorkerContext, WorkerSettings } from './worker.ts';

export interface BatchSize {
  /** Messages in one run, at most; no more than the queue's concurrency come together. Default: 100. */
  readonly most?: number;
  /** How long the first message waits for others, unless none can come. Default: 10 ms. */
  readonly waitMs?: number;
}

/** What one run of a batch answers: an outcome for each message in their order, or one for all. Nothing is done. */
export type BatchResult = Outcome | void | readonly (Outcome | void)[];

export interface BatchContext {
  /** Of the batch; each message has one of its own. */
  readonly log: Log;
  /** Fires when every message of the batch must be let go; each message has one of its own. */
  readonly signal: AbortSignal;
  /** The context of each message, in their order. */
  readonly each: readonly WorkerContext[];
  readonly collector: BatchCollector;
}

export interface BatchCollector {
  /**
   * Sends one event for each message, in their order, none where the fields are undefined. Answers each message's
   * outcome: done, dead where the collector refuses its event for good, retry where it cannot be reached.
   */
  trackMany(fields: readonly (TrackerFields | undefined)[]): Promise<Outcome[]>;
}

export interface BatchWorkerOptions<T> extends WorkerSettings {
  readonly batch?: BatchSize;
  /** A throw is `retry` for every message. */
  runBatch(messages: readonly T[], ctx: BatchContext): Promise<BatchResult> | BatchResult;
}

export const DEFAULT_BATCH = { most: 100, waitMs: 10 } as const;

export function batchContext(each: readonly WorkerContext[]): BatchContext {
  return new OfEach(each);
}

/** A class, and no object of functions: those keep what they can reach for longer, which is every job of the batch. */
class OfEach implements BatchContext {
  readonly each: readonly WorkerContext[];
  #signal: AbortSignal | undefined;

  constructor(each: readonly WorkerContext[]) {
    this.each = each;
  }

  get log(): Log {
    return (this.each[0] as WorkerContext).log;
  }

  get signal(): AbortSignal {
    this.#signal ??= whenAllHave(this.each);
    return this.#signal;
  }

  get collector(): BatchCollector {
    return { trackMany: trackEach.bind(undefined, this.each) };
  }
}

function trackEach(each: readonly WorkerContext[], fields: readonly (TrackerFields | undefined)[]): Promise<Outcome[]> {
  return Promise.all(each.map((ctx, i) => tracked(ctx, fields[i])));
}

async function tracked({ collector }: WorkerContext, fields: TrackerFields | undefined): Promise<Outcome> {
  try {
    if (fields !== undefined) await collector.track(fields);
    return { kind: 'done' };
  } catch (error) {
    return failureOf(error);
  }
}

function whenAllHave(each: readonly WorkerContext[]): AbortSignal {
  const all = new AbortController();
  let left = each.length;
  for (const { signal } of each) {
    const onAbort = () => {
      left -= 1;
      if (left === 0) all.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  }
  return all.signal;
}

/** What a batch's answer says of the message at `index`; throws where it cannot be told. */
export function outcomeAt(result: BatchResult, index: number, count: number): Outcome | void {
  if (!Array.isArray(result)) return result as Outcome | void;
  if (result.length === count) return result[index] as Outcome | void;
  throw new Error(`the worker answered ${result.length} outcomes for ${count} messages`);
}
