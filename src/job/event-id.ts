/** The id of an event that its producer gave none: derived from its first job, and kept from then on. */
import { createHash } from 'node:crypto';
import { placeIn, sourceOf } from './identity.ts';

export interface IdentifiedJob {
  readonly queue: string;
  readonly id: string;
  /** Milliseconds since the epoch; tells apart direct jobs whose number came up twice, after Redis was emptied. */
  readonly createdAt?: number;
}

/** A UUID (version 8: by hash) that a job keeps through retries and, when it came from Kafka, redelivery. */
export function eventIdOf({ queue, id, createdAt }: IdentifiedJob): string {
  const name = sourceOf(id) === undefined ? `${queue}\n${id}\n${createdAt ?? ''}` : `${queue}\n${id}`;
  const hex = createHash('sha256').update(name).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Of a Sidekiq job: of no queue, for a retry may be on another, and the same when its record is replayed. `id`: of its
 * record, or its jid.
 */
export function sidekiqEventIdOf(id: string, createdAt = 0): string {
  return eventIdOf({ queue: 'sidekiq', id: placeIn(id), createdAt: Math.round(createdAt) });
}
