/**
 * Where an event goes and how it is treated there. Bridge and producer ask the same function, so a job is the same
 * whichever way it came.
 */
import type { Backoff } from '../backoff.ts';
import type { Event, Job, JobAbout } from './job.ts';

export const DEFAULT_QUEUE = 'default';
export const DEFAULT_ATTEMPTS = 10;
export const DEFAULT_BACKOFF: Backoff = { baseMs: 1_000, maxMs: 300_000 };

/** What a worker's definition says about its jobs. */
export interface Treatment {
  readonly queue: string;
  readonly attempts: number;
  readonly backoff: Backoff;
}

/**
 * `queue` is the topic's rule and outranks the event's wish, which outranks the definition.
 * Times are milliseconds since the epoch. A delayed job's timestamp is `now`: BullMQ counts the delay from there.
 */
export function placeJob(event: Event, definition: Treatment | undefined, queue: string | undefined, now: number): Job {
  const delayMs = Math.max(0, (event.runAt ?? now) - now);
  return {
    queue: queue ?? (event.queue || definition?.queue) ?? DEFAULT_QUEUE,
    name: event.type,
    data: event.json,
    attempts: event.attempts || definition?.attempts || DEFAULT_ATTEMPTS,
    backoff: definition?.backoff ?? DEFAULT_BACKOFF,
    timestamp: delayMs > 0 ? now : (event.createdAt ?? now),
    delayMs,
    priority: event.priority ?? 0,
    about: aboutOf(event),
  };
}

/** The same on a lean queue: of how it is treated, it says what its event asks for. */
export function leanJob(job: Job, { attempts }: Event): Job {
  return { ...job, attempts: attempts || undefined, backoff: undefined };
}

export function aboutOf({ key, id, headers }: Event): JobAbout {
  const about: { -readonly [K in keyof JobAbout]: JobAbout[K] } = {};
  if (key) about.key = key;
  if (id) about.id = id;
  if (headers !== undefined && Object.keys(headers).length > 0) about.headers = headers;
  return about;
}
