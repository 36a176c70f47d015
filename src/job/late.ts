/**
 * A record whose job is due later than Redis should hold it: it is taken out of its topic's line and waits in delay
 * topics, each of which holds every record for the same time. So the records of a partition move on in the order in
 * which they came, and no record waits behind one that is due later. The names and headers of that.
 */
import { createHash } from 'node:crypto';

/** Redis holds a job that is due within this. */
export const NEAR_MS = 15 * 60_000;

/** A delay topic: `waitMs` after a record came, it moves on. */
export interface Bucket {
  readonly name: string;
  readonly waitMs: number;
}

export interface Buckets {
  /** What is due within this waits no more. */
  readonly nearMs: number;
  /** From the shortest wait on, which is at most `nearMs`, so that nothing moves on too late. */
  readonly waits: readonly Bucket[];
}

const HOUR_MS = 3_600_000;

/** About a factor of four apart: a job due in a week moves five times. */
export const BUCKETS: Buckets = {
  nearMs: NEAR_MS,
  waits: [
    { name: '15m', waitMs: HOUR_MS / 4 },
    { name: '1h', waitMs: HOUR_MS },
    { name: '4h', waitMs: 4 * HOUR_MS },
    { name: '12h', waitMs: 12 * HOUR_MS },
    { name: '2d', waitMs: 48 * HOUR_MS },
    { name: '8d', waitMs: 192 * HOUR_MS },
  ],
};

/** Where a record waits that is due in so long; undefined: nowhere, it is near. The longest wait may come again. */
export function bucketFor(dueInMs: number, { nearMs, waits }: Buckets): Bucket | undefined {
  return dueInMs <= nearMs ? undefined : waits.findLast(({ waitMs }) => waitMs <= dueInMs);
}

export const LATE = {
  /** When the job is due, in milliseconds since the epoch. A record that has it has waited already. */
  due: 'sluice.due',
  /** The consumer group that the record has waited for; bridges of others have taken its first life. */
  group: 'sluice.group',
} as const;

/** `name`: of the bucket. */
export function delayTopic(topic: string, group: string, name: string): string {
  return `${topic}.delay.${groupPart(group)}.${name}`;
}

/** Holds what the bridges know about the waiting records of a topic. */
export function delayStateTopic(topic: string, group: string): string {
  return delayTopic(topic, group, 'state');
}

/** Any text may be a group, but not part of a topic's name, and no two pairs of topic and group may have one name. */
function groupPart(group: string): string {
  if (/^[A-Za-z0-9._-]{1,100}$/.test(group) && !group.includes('.delay.')) return group;
  return createHash('sha256').update(group).digest('hex').slice(0, 16);
}

/** Holds the records of unfinished jobs whose topic's committed offset has passed them. */
export function carriedTopic(topic: string, group: string): string {
  return delayTopic(topic, group, 'long');
}
