/**
 * Stage 2: from a record's bytes to an event, or to the reason why it is none. Nothing is thrown: a bad record is
 * an expected outcome, and its neighbours flow on.
 */
import { isUtf8 } from 'node:buffer';
import { isSluiceError, messageOf } from '../errors.ts';
import type { Event } from '../job/job.ts';
import { firstTimestampOf, HISTORY, historyIn, NO_HISTORY, type Reason } from '../job/letter.ts';
import { parseSidekiqJob } from '../job/sidekiq-job.ts';
import type { KafkaRecord } from '../kafka/consumer.ts';
import { decodeEnvelope } from '../schema/envelope.ts';
import { unframe } from '../schema/framing.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { TopicConfig } from './config.ts';

export type RejectReason = Exclude<Reason, 'dead'>;

export interface Rejection {
  readonly reason: RejectReason;
  /** For a person: the field, the value's kind, what is allowed. */
  readonly error: string;
}

export interface DecodedEvent {
  readonly event: Event;
  /** Unknown fields and enum values that were met. */
  readonly drift: number;
}

/** A record larger than this would not fit a batch (P5). */
export const LARGEST_RECORD_BYTES = 1_048_576;

export type Decoder = (record: KafkaRecord) => DecodedEvent | Rejection;

export function createDecoder(topic: TopicConfig, schemas: Schemas): Decoder {
  const decode = { envelope, protobuf, json, sidekiq }[topic.record];
  return (record) => {
    const { value } = record;
    if (value === null) return { reason: 'tombstone', error: 'the record has no value (a tombstone)' };
    if (value.length > LARGEST_RECORD_BYTES) {
      return {
        reason: 'too-large',
        error: `the record has ${value.length} bytes; at most ${LARGEST_RECORD_BYTES} are taken`,
      };
    }
    try {
      const decoded = (isRebuilt(record) ? envelope : decode)(value, record, topic, schemas);
      return topic.unknownFields === 'dead-letter' && decoded.drift > 0 ? driftRejection(decoded) : decoded;
    } catch (error) {
      return { reason: reasonOf(error, topic), error: messageOf(error) };
    }
  };
}

function reasonOf(error: unknown, { record }: TopicConfig): RejectReason {
  if (isSluiceError(error, 'SCHEMA')) return 'unroutable';
  return record === 'sidekiq' && isSluiceError(error, 'INVALID_MESSAGE') ? 'invalid' : 'undecodable';
}

function driftRejection({ event, drift }: DecodedEvent): Rejection {
  return { reason: 'drift', error: `${event.type}: ${drift} unknown fields or enum values` };
}

type Decode = (value: Buffer, record: KafkaRecord, topic: TopicConfig, schemas: Schemas) => DecodedEvent;

const envelope: Decode = (value, record, _topic, schemas) => {
  const about = decodeEnvelope(value);
  const { type, payload } = about;
  const { json: text, drift } = schemas.codec(type).decodeToJson(payload);
  // Named one by one: on the path of every record, a spread costs as much as the decoding of a field.
  const event: Event = {
    type,
    json: text,
    payload: () => payload,
    id: about.id,
    key: about.key ?? keyOf(record),
    headers: about.headers,
    queue: about.queue,
    runAt: about.runAt,
    createdAt: about.createdAt ?? createdAt(record),
    attempts: about.attempts,
    priority: about.priority,
  };
  return { event: withHistory(event, record), drift };
};

const protobuf: Decode = (value, record, topic, schemas) => {
  const type = topic.message as string;
  const body = unframe(value)?.body ?? value;
  const { json: text, drift } = schemas.codec(type).decodeToJson(body);
  return { event: { ...bare(type, text, record), payload: () => body }, drift };
};

const json: Decode = (value, record, topic, schemas) => {
  const type = topic.message as string;
  const codec = schemas.codec(type);
  const text = codec.canonicalJson(value.toString('utf8'));
  const payload = () => codec.encode(codec.fromJson(JSON.parse(text)));
  return { event: { ...bare(type, text, record), payload }, drift: 0 };
};

/** A byte order mark, which some writers put in front of a text that it is no part of. */
const MARK_BYTES = 3;

const sidekiq: Decode = (value, record) => {
  // They would come out as others than went in.
  if (!isUtf8(value)) throw new TypeError('the bytes are no UTF-8');
  const isMarked = value[0] === 0xef && value[1] === 0xbb && value[2] === 0xbf;
  const job = parseSidekiqJob(isMarked ? value.subarray(MARK_BYTES) : value);
  const type = job.wrapped ?? job.class;
  const event: Event = {
    type,
    json: job.text,
    key: keyOf(record),
    headers: record.headers,
    queue: job.queue,
    runAt: job.atMs,
    createdAt: job.createdAtMs ?? createdAt(record),
    sidekiq: job,
  };
  return { event: withHistory(event, record), drift: 0 };
};

function bare(type: string, text: string, record: KafkaRecord): Event {
  const { headers } = record;
  return withHistory({ type, json: text, key: keyOf(record), createdAt: createdAt(record), headers }, record);
}

function createdAt({ headers, timestamp }: KafkaRecord): number {
  return firstTimestampOf(headers) ?? timestamp;
}

/** What was replayed keeps the id that it had, and its headers say that it was. */
function withHistory(event: Event, { headers }: KafkaRecord): Event {
  const history = historyIn(headers);
  if (history === NO_HISTORY) return event;
  return { ...event, id: event.id || history[HISTORY.eventId], headers: { ...event.headers, ...history } };
}

/** Made from a job's data when the record itself had left the log: an envelope, whatever the topic's records are. */
function isRebuilt({ headers }: KafkaRecord): boolean {
  return headers[HISTORY.rebuilt] === 'true';
}

function keyOf({ key }: KafkaRecord): string | undefined {
  return key === null ? undefined : key.toString('utf8');
}
