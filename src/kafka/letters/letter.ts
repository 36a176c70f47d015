/** A dead letter as its topic holds it. Anybody may write there: what a letter does not say is absent, not an error. */
import { HISTORY, LETTER, originOf, type Place, timesReplayed } from '../../job/letter.ts';
import { type KafkaRecord, partitionKey } from '../consumer.ts';

/** `waiting`: nobody has dealt with it yet. */
export type LetterState = 'waiting' | 'replayed' | 'purged';

export interface Letter {
  /** Where the letter stands: `orders.dlq/0/17`. */
  readonly id: string;
  readonly place: Place;
  readonly state: LetterState;
  /** When it was written, in milliseconds since the epoch. */
  readonly at: number;
  readonly reason: string;
  readonly error: string;
  readonly message: string | undefined;
  readonly queue: string | undefined;
  readonly attempts: number | undefined;
  readonly eventId: string | undefined;
  /** Where its record stood. */
  readonly origin: Place | undefined;
  readonly timesReplayed: number;
  readonly record: KafkaRecord;
}

/** Of a letter that somebody else wrote. */
export const UNKNOWN_REASON = 'unknown';

export function toLetter(place: Omit<Place, 'offset'>, record: KafkaRecord, state: LetterState): Letter {
  const { headers, offset, timestamp } = record;
  const attempts = headers[LETTER.attempts];
  return {
    id: letterId({ ...place, offset }),
    place: { ...place, offset },
    state,
    at: timestamp,
    reason: headers[LETTER.reason] ?? UNKNOWN_REASON,
    error: headers[LETTER.error] ?? '',
    message: headers[LETTER.message],
    queue: headers[LETTER.queue],
    attempts: attempts === undefined ? undefined : Number(attempts),
    eventId: headers[HISTORY.eventId],
    origin: originOf(headers),
    timesReplayed: timesReplayed(headers),
    record,
  };
}

export function letterId({ topic, partition, offset }: Place): string {
  return `${partitionKey({ topic, partition })}/${offset}`;
}

/** The place that an id names; undefined for another text. */
export function placeOf(id: string): Place | undefined {
  const match = /^([A-Za-z0-9._-]{1,249})\/(\d{1,9})\/(\d{1,15})$/.exec(id);
  if (match === null) return undefined;
  const [, topic, partition, offset] = match as unknown as [string, string, string, string];
  return { topic, partition: Number(partition), offset: Number(offset) };
}
