/**
 * Cuts what is to be produced into requests: small enough that records do not fail because of their company, large
 * enough that many small calls share one.
 */
import type { OutgoingRecord } from './consumer.ts';

/** A topic's usual limit is 1 MiB for the records of one request and partition. */
const REQUEST_BYTES = 900_000;
/** KafkaJS groups the records of a request in quadratic time. */
const REQUEST_RECORDS = 1_000;
const RECORD_OVERHEAD_BYTES = 64;

/** A part of a call that fits into one request. */
export interface Piece {
  /** The call's own: its parts go in order, and none after one that failed. */
  readonly call: object;
  readonly topic: string;
  readonly records: readonly OutgoingRecord[];
  readonly bytes: number;
  readonly done: PromiseWithResolvers<void>;
}

export interface Request {
  readonly topic: string;
  readonly pieces: readonly Piece[];
}

export function pieces(topic: string, records: readonly OutgoingRecord[]): Piece[] {
  const made: Piece[] = [];
  const call = {};
  let start = 0;
  let bytes = 0;
  for (let i = 0; i <= records.length; i++) {
    const record = records[i];
    const size = record === undefined ? 0 : sizeOf(record);
    const isFull = record === undefined || i - start >= REQUEST_RECORDS || bytes + size > REQUEST_BYTES;
    if (i > start && isFull) {
      made.push({ call, topic, records: records.slice(start, i), bytes, done: Promise.withResolvers() });
      start = i;
      bytes = 0;
    }
    bytes += size;
  }
  return made;
}

/** Takes the first piece that waits, with those right behind it that go to the same topic and still fit. */
export function takeRequest(waiting: Piece[]): Request | undefined {
  const [first] = waiting;
  if (first === undefined) return undefined;
  let [count, bytes, records] = [0, 0, 0];
  for (const piece of waiting) {
    bytes += piece.bytes;
    records += piece.records.length;
    const fits = bytes <= REQUEST_BYTES && records <= REQUEST_RECORDS && piece.topic === first.topic;
    if (count > 0 && !fits) break;
    count += 1;
  }
  return { topic: first.topic, pieces: waiting.splice(0, count) };
}

/** Takes out the pieces that a failure concerns. */
export function takeWhere(waiting: Piece[], isConcerned: (piece: Piece) => boolean): Piece[] {
  const concerned = waiting.filter(isConcerned);
  for (const piece of concerned) waiting.splice(waiting.indexOf(piece), 1);
  return concerned;
}

function sizeOf({ key, value, headers }: OutgoingRecord): number {
  let bytes = RECORD_OVERHEAD_BYTES + (value?.length ?? 0) + (key === null ? 0 : Buffer.byteLength(key));
  for (const name in headers) bytes += name.length + Buffer.byteLength(headers[name] ?? '');
  return bytes;
}
