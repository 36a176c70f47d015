/** What a worker is: a message type, how to run it, and how to treat its failures. */
import type { Backoff } from '../backoff.ts';
import type { Log } from '../log.ts';
import type { BatchContext, BatchResult } from './batch.ts';

/** Fields of the Snowplow Tracker Protocol, without those that Sluice sets (tv, p, eid, dtm, stm, aid, tna). */
export type TrackerFields = Readonly<Record<string, string>>;

export interface CollectorPort {
  /** Resolves once the collector has accepted the event. Rejects COLLECTOR_REFUSED or COLLECTOR_UNAVAILABLE. */
  track(fields: TrackerFields): Promise<void>;
}

export interface WorkerContext {
  readonly log: Log;
  /** Fires on timeout, stop and loss of the job's lock; `signal.reason` is a SluiceError. */
  readonly signal: AbortSignal;
  /** From 1. */
  readonly attempt: number;
  readonly key: string | undefined;
  /** Stays the same through retries and redelivery. */
  readonly eventId: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Where in Kafka the job came from; undefined for a job that was enqueued directly. */
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: bigint } | undefined;
  readonly collector: CollectorPort;
}

/** How one attempt ended. `run` returns one, or nothing for done; a throw is `retry`. */
export type Outcome =
  | { readonly kind: 'done' }
  /** Try again; `afterMs` overrides the worker's backoff. Counts as an attempt. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs?: number; readonly cause?: unknown }
  /** Never again: to the dead letters. */
  | { readonly kind: 'dead'; readonly reason: string; readonly cause?: unknown }
  /** Not now: run later without counting an attempt. */
  | { readonly kind: 'snooze'; readonly afterMs: number };

export interface WorkerSettings {
  /** Queue that its jobs go to. Default: `default`. */
  readonly queue?: string;
  /** Runs until a job is dead. Default: 10. */
  readonly attempts?: number;
  /** Default: full jitter under 1 s, 2 s, 4 s ... 5 min. */
  readonly backoff?: Partial<Backoff>;
  /** One attempt may take this long. Default: 60 s. */
  readonly timeoutMs?: number;
}

export interface WorkerOptions<T> extends WorkerSettings {
  run(message: T, ctx: WorkerContext): Promise<Outcome | void> | Outcome | void;
}

/** A worker with every default filled in. */
export interface WorkerDefinition<T = unknown> {
  readonly message: string;
  readonly queue: string;
  readonly attempts: number;
  readonly backoff: Backoff;
  readonly timeoutMs: number;
  /** Of a worker that takes batches: a batch of one. */
  run(message: T, ctx: WorkerContext): Promise<Outcome | void> | Outcome | void;
  readonly batch: BatchDefinition<T> | undefined;
}

export interface BatchDefinition<T = unknown> {
  readonly most: number;
  readonly waitMs: number;
  run(messages: readonly T[], ctx: BatchContext): Promise<BatchResult> | BatchResult;
}
