/**
 * The collector as one attempt of a job sees it: its events have ids of their own, the same at every attempt, and are
 * given up with it.
 */
import { createHash } from 'node:crypto';
import type { CollectorPort } from '../definition/worker.ts';
import type { Collector } from './collector.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The first event of a job has the job's event id, where that is a UUID; the others are derived from it. */
export function portFor(collector: Pick<Collector, 'track'>, eventId: string, signal?: AbortSignal): CollectorPort {
  let count = 0;
  return {
    track: (fields) => {
      const index = count++;
      const id = index === 0 && UUID.test(eventId) ? eventId : derivedId(eventId, index);
      const tracked = collector.track(fields, id, signal);
      // A worker that does not await it would otherwise end the whole host with its rejection.
      tracked.catch(() => undefined);
      return tracked;
    },
  };
}

/** A UUID of version 8 (RFC 9562, 5.8): by hash. */
function derivedId(eventId: string, index: number): string {
  const hex = createHash('sha256').update(`${eventId}\n${index}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
