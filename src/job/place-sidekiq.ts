/**
 * An event as a Sidekiq job: one that came as a Sidekiq job keeps its fields and their spelling, a message becomes the one
 * argument of a class. Whoever asks gets the same text for the same record, so a test sees what Ruby will.
 */
import { jobIdPrefix, sourceOf } from './identity.ts';
import type { Event, Job } from './job.ts';
import type { Members } from './json-members.ts';
import { firstOriginOf } from './letter.ts';
import { aboutOf, DEFAULT_ATTEMPTS, DEFAULT_BACKOFF } from './place.ts';
import { DEFAULT_SIDEKIQ_QUEUE, type Dialect, jidOf, stampedText } from './sidekiq-job.ts';

export interface SidekiqPlace {
  /** Id of the job that the record becomes: `k~<topic>~<generation>~<partition>~<group>~<offset>`. */
  readonly id: string;
  /** Whether the bridge waits for the job's end. */
  readonly isTracked: boolean;
  /** The topic's rule, which outranks the event's wish. */
  readonly queue: string | undefined;
  /** Class of a message. */
  readonly class: string;
  readonly arguments: 'json' | 'base64';
  readonly dialect: Dialect;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function placeSidekiqJob(event: Event, place: SidekiqPlace): Job {
  const { id, dialect, now } = place;
  const { sidekiq } = event;
  const queue = place.queue ?? (event.queue || DEFAULT_SIDEKIQ_QUEUE);
  const about = aboutOf(event);
  const createdAtMs = event.createdAt ?? now;
  const data = stampedText(
    { members: sidekiq?.members ?? membersOf(event, place), inner: sidekiq?.inner },
    {
      jid: sidekiq?.jid ?? jidOf(firstIdOf(event, id), createdAtMs),
      queue,
      createdAtMs,
      dialect,
      about: place.isTracked ? { ...about, source: id } : { ...about, from: id },
    },
  );
  return {
    queue,
    name: event.type,
    data,
    about,
    timestamp: createdAtMs,
    delayMs: Math.max(0, (event.runAt ?? now) - now),
    // How often Ruby tries again is in the text; it knows no priorities.
    attempts: event.attempts || DEFAULT_ATTEMPTS,
    backoff: DEFAULT_BACKOFF,
    priority: 0,
  };
}

/** The id by the place that the record had first: one that was late, or is replayed as a letter, keeps its jid. */
function firstIdOf({ headers = {} }: Event, id: string): string {
  const [first, known] = [firstOriginOf(headers), sourceOf(id)];
  if (first === undefined || known?.group === undefined) return id;
  return `${jobIdPrefix(first.topic, 0, first.partition)}${known.group}~${first.offset}`;
}

/** What lies in Redis: on the queue, behind the head of its time, or in the schedule when the job is due later. */
export function leftText({ data, delayMs }: Pick<Job, 'data' | 'delayMs'>, enqueuedHead: string): string {
  return delayMs > 0 ? data : enqueuedHead + data.slice(1);
}

/** N attempts are N - 1 retries. */
function membersOf({ json, payload, attempts = 0 }: Event, place: SidekiqPlace): Members {
  const binary = place.arguments === 'base64' ? payload?.() : undefined;
  const argument = binary === undefined ? json : JSON.stringify(Buffer.from(binary).toString('base64'));
  return new Map([
    ['class', JSON.stringify(place.class)],
    ['args', `[${argument}]`],
    ['retry', attempts > 0 ? String(attempts - 1) : 'true'],
  ]);
}
