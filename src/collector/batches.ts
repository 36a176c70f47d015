/**
 * What waits to be sent: new events, from which batches are cut by count, bytes and age, and batches that are to be
 * tried again as they are. Pure but for its state; times are milliseconds since the epoch.
 */
import type { Pending } from './pending.ts';
import { FRAME_BYTES } from './tp2.ts';

/** What is read of an event here. */
type Waiting = Pick<Pending, 'event' | 'since' | 'isSettled'>;

export interface Batch<T extends Waiting = Pending> {
  readonly events: readonly T[];
  /** Failures that were this batch's own, and not the collector's. */
  readonly failures: number;
  /** Not sent before. */
  readonly dueAt: number;
}

export interface BatchLimits {
  readonly batchEvents: number;
  readonly batchBytes: number;
  readonly batchAgeMs: number;
}

export interface Batches<T extends Waiting = Pending> {
  add(event: T): void;
  /** To be sent as it is, when it is due. */
  again(batch: Batch<T>): void;
  /** The next batch to send, without events that are settled already. `isHurried`: new events await no companions. */
  take(now: number, isHurried: boolean): Batch<T> | undefined;
  /** When `take` has something again, if nothing else happens; undefined: never. */
  nextAt(isHurried: boolean): number | undefined;
}

export function createBatches<T extends Waiting = Pending>(limits: BatchLimits): Batches<T> {
  const { batchEvents, batchBytes, batchAgeMs } = limits;
  const fresh: T[] = [];
  let freshBytes = FRAME_BYTES;
  let later: Batch<T>[] = [];

  const isFull = () => fresh.length >= batchEvents || freshBytes >= batchBytes;

  function freshAt(isHurried: boolean): number | undefined {
    const first = fresh[0];
    if (first === undefined) return undefined;
    return isHurried || isFull() ? 0 : first.since + batchAgeMs;
  }

  /** At least one event, and as many more as fit. */
  function cut(): T[] {
    let size = FRAME_BYTES;
    let count = 0;
    for (const { event } of fresh) {
      size += event.bytes;
      if (count > 0 && (count >= batchEvents || size > batchBytes)) break;
      count += 1;
    }
    const events = fresh.splice(0, count);
    for (const { event } of events) freshBytes -= event.bytes;
    return events;
  }

  function earliest(): Batch<T> | undefined {
    return later.reduce<Batch<T> | undefined>((a, b) => (a === undefined || b.dueAt < a.dueAt ? b : a), undefined);
  }

  /** Whatever has waited longest is next: neither can a batch that always fails hold up new events, nor they it. */
  function takeOne(now: number, isHurried: boolean): Batch<T> | undefined {
    const again = earliest();
    const at = freshAt(isHurried);
    const first = at === undefined || at > now ? undefined : fresh[0];
    if (again !== undefined && again.dueAt <= Math.min(now, first?.since ?? now)) {
      later = later.filter((batch) => batch !== again);
      return again;
    }
    return first === undefined ? undefined : { events: cut(), failures: 0, dueAt: 0 };
  }

  return {
    add(event) {
      fresh.push(event);
      freshBytes += event.event.bytes;
    },

    again(batch) {
      later.push(batch);
    },

    take(now, isHurried) {
      for (;;) {
        const batch = takeOne(now, isHurried);
        const events = batch?.events.filter(({ isSettled }) => !isSettled);
        if (batch === undefined || events === undefined) return undefined;
        if (events.length > 0) return { ...batch, events };
      }
    },

    nextAt(isHurried) {
      const times = [freshAt(isHurried), earliest()?.dueAt].filter((at) => at !== undefined);
      return times.length === 0 ? undefined : Math.min(...times);
    },
  };
}
