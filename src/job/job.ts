/**
 * The three forms of one piece of work: an event is what a record says once decoded, a job is an event placed
 * on a queue. Both are plain data.
 */
import type { Backoff } from '../backoff.ts';
import type { SidekiqJob } from './sidekiq-job.ts';

/** A decoded record. */
export interface Event {
  /** Full name of the message type; of a Sidekiq job, its class (of an ActiveJob wrapper, the class in it). */
  readonly type: string;
  /** The message as proto3 JSON text: what a worker finds on the queue. Of a Sidekiq job, the job as it came. */
  readonly json: string;
  /** The message in its binary form. */
  readonly payload?: (() => Uint8Array) | undefined;
  /** What the record is, if it is a Sidekiq job. */
  readonly sidekiq?: SidekiqJob | undefined;
  /** The event's identity, if its producer gave one. */
  readonly id?: string | undefined;
  readonly key?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Queue that the producer asked for. */
  readonly queue?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly runAt?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt?: number | undefined;
  /** 0 or absent: what the worker's definition says. */
  readonly attempts?: number | undefined;
  /** 1 (most urgent) to 2097151; 0 or absent: none. */
  readonly priority?: number | undefined;
}

/** What is about the job and not of its message. Rides in the job's options under the key `sl`. */
export interface JobAbout {
  readonly key?: string;
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An event with its place: ready for a queue. */
export interface Job {
  readonly queue: string;
  /** Full name of the message type, or class; BullMQ's job name. */
  readonly name: string;
  /** proto3 JSON text; for Sidekiq, the whole job but for the time at which it is enqueued. */
  readonly data: string;
  /** Undefined: what the worker's definition says when the job runs. */
  readonly attempts: number | undefined;
  /** Undefined on a lean queue, whose jobs say nothing that Sluice's own hosts know without them. */
  readonly backoff: Backoff | undefined;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  /** Milliseconds after `timestamp`; 0: at once. */
  readonly delayMs: number;
  /** 0: none. */
  readonly priority: number;
  readonly about: JobAbout;
}
