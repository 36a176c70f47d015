/** The envelope `sluice.v1.Job`, read and written by hand: it is on the path of every record. */
import protobuf from 'protobufjs';
import { SluiceError } from '../errors.ts';
import { malformed, WireReader } from './wire.ts';

/** Fields of proto/sluice/v1/job.proto; times in milliseconds since the epoch, absent ones undefined. */
export interface Envelope {
  readonly type: string;
  readonly payload: Uint8Array;
  readonly id?: string | undefined;
  readonly key?: string | undefined;
  readonly runAt?: number | undefined;
  readonly createdAt?: number | undefined;
  readonly attempts?: number | undefined;
  readonly priority?: number | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly queue?: string | undefined;
}

/** BullMQ's limit. */
export const MOST_PRIORITY = 2_097_151;

type Draft = { -readonly [K in keyof Envelope]?: Envelope[K] } & { headers?: Record<string, string> };

type ReadField = (draft: Draft, reader: WireReader) => void;

const STRING = 2;
const VARINT = 0;

const FIELDS: Readonly<Record<number, ReadField>> = {
  [(1 << 3) | STRING]: (draft, reader) => {
    draft.id = reader.string();
  },
  [(2 << 3) | STRING]: (draft, reader) => {
    draft.type = reader.string();
  },
  [(3 << 3) | STRING]: (draft, reader) => {
    draft.payload = reader.bytes();
  },
  [(4 << 3) | STRING]: (draft, reader) => {
    draft.key = reader.string();
  },
  [(5 << 3) | STRING]: (draft, reader) => {
    draft.runAt = readTime(reader.nested(reader.bytes()));
  },
  [(6 << 3) | VARINT]: (draft, reader) => {
    draft.attempts = reader.uint32();
  },
  [(7 << 3) | VARINT]: (draft, reader) => {
    draft.priority = reader.uint32();
  },
  [(8 << 3) | STRING]: (draft, reader) => {
    draft.createdAt = readTime(reader.nested(reader.bytes()));
  },
  [(9 << 3) | STRING]: (draft, reader) => {
    readHeader(draft, reader.nested(reader.bytes()));
  },
  [(10 << 3) | STRING]: (draft, reader) => {
    draft.queue = reader.string();
  },
};

const KNOWN_FIELDS = 10;
const NO_PAYLOAD = new Uint8Array();

/** Throws INVALID_MESSAGE when the bytes are no envelope, or name no type. */
export function decodeEnvelope(bytes: Buffer): Envelope {
  const draft: Draft = {};
  const reader = new WireReader(bytes);
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const read = FIELDS[tag];
    if (read !== undefined) read(draft, reader);
    else if (tag >>> 3 <= KNOWN_FIELDS) throw malformed(`field ${tag >>> 3} of the envelope has wire type ${tag & 7}`);
    else reader.skip(tag);
  }
  const { type, priority = 0 } = draft;
  if (!type) throw new SluiceError('INVALID_MESSAGE', 'type: the envelope (sluice.v1.Job) names no message type');
  if (priority > MOST_PRIORITY) {
    throw new SluiceError('INVALID_MESSAGE', `priority: ${priority} is not allowed; allowed: 0 to ${MOST_PRIORITY}`);
  }
  draft.payload ??= NO_PAYLOAD;
  return draft as Envelope;
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const writer = protobuf.Writer.create();
  writeText(writer, 1, envelope.id);
  writeText(writer, 2, envelope.type);
  writer.uint32((3 << 3) | STRING).bytes(envelope.payload);
  writeText(writer, 4, envelope.key);
  writeTime(writer, 5, envelope.runAt);
  if (envelope.attempts) writer.uint32((6 << 3) | VARINT).uint32(envelope.attempts);
  if (envelope.priority) writer.uint32((7 << 3) | VARINT).uint32(envelope.priority);
  writeTime(writer, 8, envelope.createdAt);
  for (const [name, value] of Object.entries(envelope.headers ?? {})) {
    writer.uint32((9 << 3) | STRING).fork();
    writeText(writer, 1, name);
    writeText(writer, 2, value);
    writer.ldelim();
  }
  writeText(writer, 10, envelope.queue);
  return writer.finish();
}

function readHeader(draft: Draft, reader: WireReader): void {
  let name = '';
  let value = '';
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | STRING)) name = reader.string();
    else if (tag === ((2 << 3) | STRING)) value = reader.string();
    else reader.skip(tag);
  }
  draft.headers ??= {};
  draft.headers[name] = value;
}

/** The last moment that a Date can hold, in seconds. */
const LAST_SECOND = 8_640_000_000_000;

function readTime(reader: WireReader): number {
  let seconds = 0;
  let nanos = 0;
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    if (tag === ((1 << 3) | VARINT)) seconds = Number(reader.int64());
    else if (tag === ((2 << 3) | VARINT)) nanos = reader.int32();
    else reader.skip(tag);
  }
  if (Math.abs(seconds) > LAST_SECOND || nanos < 0 || nanos > 999_999_999) throw malformed('a time out of its range');
  return seconds * 1000 + Math.floor(nanos / 1_000_000);
}

function writeText(writer: protobuf.Writer, id: number, text: string | undefined): void {
  if (text) writer.uint32((id << 3) | STRING).string(text);
}

function writeTime(writer: protobuf.Writer, id: number, ms: number | undefined): void {
  if (ms === undefined) return;
  const seconds = Math.floor(ms / 1000);
  writer.uint32((id << 3) | STRING).fork();
  writer.uint32((1 << 3) | VARINT).int64(seconds);
  writer.uint32((2 << 3) | VARINT).int32((ms - seconds * 1000) * 1_000_000);
  writer.ldelim();
}
