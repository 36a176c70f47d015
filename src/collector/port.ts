/**
 * The collector as one attempt of a job sees it: its events have ids of their own, the same at every attempt, and are
 * given up with it.
 */
import type { CollectorPort, TrackerFields } from '../definition/worker.ts';
import type { EndSignal } from '../end-signal.ts';
import { hashedUuid } from '../job/hashed-uuid.ts';
import type { Collector } from './collector.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The first event of a job has the job's event id, where that is a UUID; the others are derived from it. */
export function portFor(collector: Pick<Collector, 'track'>, eventId: string, signal?: EndSignal): CollectorPort {
  // Bound, so that it may be called alone; a function that was written here would keep the job for longer.
  return { track: trackNext.bind({ collector, eventId, signal, count: 0 }) };
}

interface Port {
  readonly collector: Pick<Collector, 'track'>;
  readonly eventId: string;
  readonly signal: EndSignal | undefined;
  count: number;
}

function trackNext(this: Port, fields: TrackerFields): Promise<void> {
  const { collector, eventId, signal } = this;
  const index = this.count++;
  const id = index === 0 && UUID.test(eventId) ? eventId : hashedUuid(`${eventId}\n${index}`);
  const tracked = collector.track(fields, id, signal);
  // A worker that does not await it would otherwise end the whole host with its rejection.
  tracked.catch(ignore);
  return tracked;
}

function ignore(): void {}
