/** The id of an event that its producer gave none: derived from its first job, and kept from then on. */
import { hashedUuid } from './hashed-uuid.ts';
import { isFromKafka, placeIn } from './identity.ts';

export interface IdentifiedJob {
  readonly queue: string;
  readonly id: string;
  /** Milliseconds since the epoch; tells apart direct jobs whose number came up twice, after Redis was emptied. */
  readonly createdAt?: number;
}

/** A UUID (version 8: by hash) that a job keeps through retries and, when it came from Kafka, redelivery. */
export function eventIdOf({ queue, id, createdAt }: IdentifiedJob): string {
  const name = isFromKafka(id) ? `${queue}\n${id}` : `${queue}\n${id}\n${createdAt ?? ''}`;
  return hashedUuid(name);
}

/**
 * Of a Sidekiq job: of no queue, for a retry may be on another, and the same when its record is replayed. `id`: of its
 * record, or its jid.
 */
export function sidekiqEventIdOf(id: string, createdAt = 0): string {
  return eventIdOf({ queue: 'sidekiq', id: placeIn(id), createdAt: Math.round(createdAt) });
}
