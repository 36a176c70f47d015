/**
 * The records that `sluice decode` is asked about: made of messages, as a producer would make them, or given as bytes.
 * What is given stands in partition 0 from offset 0 on, so that the same input becomes the same jobs.
 */
import { messageOf, SluiceError } from '../../errors.ts';
import { jobIdPrefix } from '../../job/identity.ts';
import type { KafkaRecord } from '../../kafka/consumer.ts';
import { checkEvent, type OutgoingEvent } from '../../producer/producer.ts';
import { encodeEnvelope } from '../../schema/envelope.ts';
import type { Schemas } from '../../schema/schemas.ts';
import type { Config } from '../config/schema.ts';
import { eventIn, textsOf } from '../produce-lines.ts';

export interface Sample {
  /** For a person: `line 3`. */
  readonly name: string;
  /** Of the job that the record becomes. */
  readonly id: string;
  readonly record: KafkaRecord;
}

/** A line of which no record can be made. */
export interface BadLine {
  readonly name: string;
  readonly error: string;
}

/** Bytes of a record's value; throws SluiceError. */
export type BytesOf = (line: string) => Uint8Array;

export interface Common {
  readonly topic: string;
  /** Of the records, in milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: string | undefined;
}

export async function* samplesOf(
  lines: AsyncIterable<string>,
  bytesOf: BytesOf,
  common: Common,
): AsyncGenerator<Sample | BadLine> {
  for await (const { number, content } of textsOf(lines)) {
    const name = `line ${number}`;
    try {
      yield sampleOf(name, number - 1, Buffer.from(bytesOf(content)), common);
    } catch (error) {
      yield { name, error: messageOf(error) };
    }
  }
}

export function sampleOf(name: string, offset: number, value: Buffer, { topic, timestamp, key }: Common): Sample {
  const record = { offset, key: key === undefined ? null : Buffer.from(key), value, timestamp, headers: {} };
  return { name, id: `${jobIdPrefix(topic, 0, 0)}${offset}`, record };
}

/** A message becomes a record as the topic's are; an envelope has no id unless its line says one. */
export function messageBytes(
  { record, message }: Config['topics'][string],
  type: string | undefined,
  schemas: Schemas,
  nowMs: number,
): BytesOf {
  if (record === 'sidekiq' || record === 'json') return (line) => Buffer.from(line);
  if (record === 'protobuf') return (line) => schemas.codec(message as string).encode(jsonIn(line));
  return (line) => {
    const outgoing: OutgoingEvent = { id: '', ...eventIn(jsonIn(line), type) };
    const { event, payload } = checkEvent(outgoing, schemas, nowMs);
    return encodeEnvelope({ ...event, payload: payload() });
  };
}

export function base64Bytes(line: string): Uint8Array {
  const text = line.trim();
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return Buffer.from(text, 'base64');
  throw new SluiceError('INVALID_MESSAGE', 'no base64');
}

function jsonIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new SluiceError('INVALID_MESSAGE', `no JSON: ${messageOf(error)}`);
  }
}
