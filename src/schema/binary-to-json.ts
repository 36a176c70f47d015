/**
 * The hot path: a message's bytes to proto3 JSON text, without an object in between. Tolerant, as protobuf means it:
 * unknown fields and open enum values pass and are counted; a field given twice keeps its last value, sub-messages
 * merge. Types with JSON of their own take a slower way round. Time grows with the bytes whatever they hold: each
 * byte is read a bounded number of times a level.
 */
import { messageOf } from '../errors.ts';
import type { FieldInfo, MessageInfo, ScalarType, ValueType } from './descriptor.ts';
import { shortestFloat } from './float.ts';
import type { Decoded, Json } from './schemas.ts';
import { wellKnown } from './well-known.ts';
import { malformed, WireReader } from './wire.ts';

interface Tally {
  drift: number;
}

/** Reads one value where the reader stands and answers its JSON text. */
type Read = (reader: WireReader, tally: Tally) => string;

interface FieldPlan {
  readonly slot: number;
  /** `"name":` */
  readonly label: string;
  readonly shape: FieldInfo['shape'];
  readonly wireType: number;
  readonly read: Read;
  /** Of a singular message: reads its body, once all occurrences of it are known and merged. */
  readonly readBody: Read | undefined;
  /** Text of the value that is left out; undefined where presence is told apart. */
  readonly omitted: string | undefined;
  /** Slots of the other members of the oneof. */
  readonly rivals: readonly number[];
  readonly map: MapPlan | undefined;
}

/** Of a map: how to read a key, and the texts of a missing key and value. */
interface MapPlan {
  readonly readKey: Read;
  readonly keyWireType: number;
  readonly valueWireType: number;
  readonly noKey: string;
  readonly noValue: string;
}

interface MessagePlan {
  readonly byId: Map<number, FieldPlan>;
  readonly fields: readonly FieldPlan[];
}

type Slot = string | string[] | Buffer[] | Map<string, string> | undefined;
type Plans = Map<MessageInfo, Read>;

export function createBinaryToJson(message: MessageInfo): (bytes: Uint8Array) => Decoded {
  const read = bodyReader(message, new Map());
  return (bytes) => {
    const tally = { drift: 0 };
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { json: read(new WireReader(buffer), tally), drift: tally.drift };
  };
}

/** Reads a message whose bytes are all that the reader holds. Planned at its first use: types may contain themselves. */
function bodyReader(message: MessageInfo, plans: Plans): Read {
  const known = plans.get(message);
  if (known !== undefined) return known;
  let plan: MessagePlan | undefined;
  const plain: Read = (reader, tally) => {
    plan ??= planMessage(message, plans);
    return readMessage(plan, reader, tally);
  };
  const special = wellKnown(message.fullName);
  const read: Read =
    special === undefined ? plain : (reader, tally) => convert(message.fullName, special, plain(reader, tally));
  plans.set(message, read);
  return read;
}

function convert(fullName: string, special: NonNullable<ReturnType<typeof wellKnown>>, text: string): string {
  try {
    return JSON.stringify(special.fromFields(JSON.parse(text) as Record<string, Json>));
  } catch (error) {
    throw malformed(`a ${fullName} out of its range: ${messageOf(error)}`);
  }
}

function planMessage(message: MessageInfo, plans: Plans): MessagePlan {
  const fields = message.fields.map((field, slot) => planField(field, slot, message, plans));
  return { byId: new Map(message.fields.map(({ id }, slot) => [id, fields[slot] as FieldPlan])), fields };
}

function planField(field: FieldInfo, slot: number, message: MessageInfo, plans: Plans): FieldPlan {
  const { type, shape, keyType } = field;
  const isSingularMessage = type.kind === 'message' && shape === 'singular';
  return {
    slot,
    label: `${JSON.stringify(field.jsonName)}:`,
    shape,
    wireType: shape === 'map' ? 2 : wireTypeOf(type),
    read: valueReader(type, plans),
    readBody: isSingularMessage ? bodyReader(type.message, plans) : undefined,
    omitted: shape === 'singular' && !field.hasPresence ? defaultText(type) : undefined,
    rivals: rivalsOf(field, slot, message),
    map: keyType && planMap(keyType, type),
  };
}

function planMap(keyType: ScalarType, type: ValueType): MapPlan {
  return {
    readKey: keyReader(keyType),
    keyWireType: wireTypeOf({ kind: 'scalar', scalar: keyType }),
    valueWireType: wireTypeOf(type),
    noKey: keyDefault(keyType),
    noValue: defaultText(type),
  };
}

function rivalsOf({ oneof }: FieldInfo, slot: number, { fields }: MessageInfo): number[] {
  if (oneof === undefined) return [];
  return fields.flatMap((other, at) => (at !== slot && other.oneof === oneof ? [at] : []));
}

function readMessage({ byId, fields }: MessagePlan, reader: WireReader, tally: Tally): string {
  const slots: Slot[] = new Array(fields.length);
  while (!reader.isAtEnd) {
    const tag = reader.tag();
    const field = byId.get(tag >>> 3);
    if (field === undefined) {
      tally.drift += 1;
      reader.skip(tag);
      continue;
    }
    for (const rival of field.rivals) slots[rival] = undefined;
    readField(field, tag & 7, reader, slots, tally);
  }
  for (const field of fields) if (field.readBody !== undefined) readBodies(field, reader, slots, tally);
  return join(fields, slots);
}

/** Read once and last: reading at each occurrence would double the work at each level of a hostile record. */
function readBodies({ slot, readBody }: FieldPlan, reader: WireReader, slots: Slot[], tally: Tally): void {
  const bodies = slots[slot] as Buffer[] | undefined;
  if (bodies !== undefined) slots[slot] = (readBody as Read)(reader.nested(merged(bodies, reader)), tally);
}

/** Occurrences of a message, one after the other, are the merged message: if each is whole by itself. */
function merged(bodies: readonly Buffer[], reader: WireReader): Buffer {
  if (bodies.length === 1) return bodies[0] as Buffer;
  for (const body of bodies) {
    const walk = reader.sameLevel(body);
    while (!walk.isAtEnd) walk.skip(walk.tag());
  }
  return Buffer.concat(bodies);
}

function readField(field: FieldPlan, wireType: number, reader: WireReader, slots: Slot[], tally: Tally): void {
  const { slot, shape } = field;
  if (shape === 'repeated' && wireType === 2 && field.wireType !== 2) {
    const packed = reader.sameLevel(reader.bytes());
    const elements = elementsIn<string>(slots, slot);
    while (!packed.isAtEnd) elements.push(field.read(packed, tally));
  } else if (wireType !== field.wireType) {
    throw malformed(`${field.label.slice(0, -1)} has wire type ${wireType} instead of ${field.wireType}`);
  } else if (shape === 'repeated') {
    elementsIn<string>(slots, slot).push(field.read(reader, tally));
  } else if (shape === 'map') {
    readEntry(field, reader.sameLevel(reader.bytes()), slots, tally);
  } else if (field.readBody !== undefined) {
    elementsIn<Buffer>(slots, slot).push(reader.bytes());
  } else {
    slots[slot] = field.read(reader, tally);
  }
}

function elementsIn<T extends string | Buffer>(slots: Slot[], slot: number): T[] {
  const elements = (slots[slot] as T[] | undefined) ?? [];
  slots[slot] = elements as string[] | Buffer[];
  return elements;
}

/** A map entry is a message of its own: key 1, value 2, either may be missing. */
function readEntry({ slot, label, map, read }: FieldPlan, entry: WireReader, slots: Slot[], tally: Tally): void {
  const { readKey, keyWireType, valueWireType, noKey, noValue } = map as MapPlan;
  let key = noKey;
  let value = noValue;
  while (!entry.isAtEnd) {
    const tag = entry.tag();
    if (tag === ((1 << 3) | keyWireType)) key = readKey(entry, tally);
    else if (tag === ((2 << 3) | valueWireType)) value = read(entry, tally);
    else if (tag >>> 3 <= 2) throw malformed(`an entry of ${label.slice(0, -1)} has wire type ${tag & 7}`);
    else entry.skip(tag);
  }
  const entries = (slots[slot] as Map<string, string> | undefined) ?? new Map<string, string>();
  slots[slot] = entries.set(key, value);
}

function join(fields: readonly FieldPlan[], slots: readonly Slot[]): string {
  let text = '{';
  for (const { slot, label, omitted } of fields) {
    const value = slots[slot];
    if (value === undefined || value === omitted) continue;
    if (text.length > 1) text += ',';
    if (typeof value === 'string') text += label + value;
    else if (Array.isArray(value)) text += `${label}[${value.join(',')}]`;
    else text += `${label}{${[...value].map(([key, each]) => `${key}:${each}`).join(',')}}`;
  }
  return `${text}}`;
}

const SCALARS: Readonly<Record<ScalarType, Read>> = {
  int32: (reader) => String(reader.int32()),
  uint32: (reader) => String(reader.uint32()),
  sint32: (reader) => String(reader.sint32()),
  fixed32: (reader) => String(reader.fixed32()),
  sfixed32: (reader) => String(reader.sfixed32()),
  int64: (reader) => `"${reader.int64()}"`,
  uint64: (reader) => `"${reader.uint64()}"`,
  sint64: (reader) => `"${reader.sint64()}"`,
  fixed64: (reader) => `"${reader.fixed64()}"`,
  sfixed64: (reader) => `"${reader.sfixed64()}"`,
  bool: (reader) => (reader.bool() ? 'true' : 'false'),
  string: (reader) => JSON.stringify(reader.string()),
  bytes: (reader) => `"${reader.bytes().toString('base64')}"`,
  double: (reader) => doubleText(reader.double()),
  float: (reader) => doubleText(shortestFloat(reader.float())),
};

function valueReader(type: ValueType, plans: Plans): Read {
  if (type.kind === 'scalar') return SCALARS[type.scalar];
  if (type.kind === 'message') {
    const body = bodyReader(type.message, plans);
    return (reader, tally) => body(reader.nested(reader.bytes()), tally);
  }
  const names = new Map([...type.enum.byNumber].map(([number, name]) => [number, JSON.stringify(name)]));
  const isNull = type.enum.fullName === 'google.protobuf.NullValue';
  return (reader, tally) => {
    const number = reader.int32();
    const name = isNull ? 'null' : names.get(number);
    if (name === undefined) tally.drift += 1;
    return name ?? String(number);
  };
}

/** JSON's member names are strings whatever the key is. */
function keyReader(type: ScalarType): Read {
  const read = SCALARS[type];
  return (reader, tally) => {
    const text = read(reader, tally);
    return text.startsWith('"') ? text : `"${text}"`;
  };
}

function keyDefault(type: ScalarType): string {
  const text = defaultText({ kind: 'scalar', scalar: type });
  return text.startsWith('"') ? text : `"${text}"`;
}

function defaultText(type: ValueType): string {
  if (type.kind === 'enum') return JSON.stringify(type.enum.byNumber.get(0) ?? 0);
  if (type.kind === 'message') return JSON.stringify(wellKnown(type.message.fullName)?.fromFields({}) ?? {});
  if (type.scalar === 'string' || type.scalar === 'bytes') return '""';
  if (type.scalar === 'bool') return 'false';
  return type.scalar.endsWith('64') ? '"0"' : '0';
}

function wireTypeOf(type: ValueType): number {
  if (type.kind === 'message') return 2;
  if (type.kind === 'enum') return 0;
  const { scalar } = type;
  if (scalar === 'string' || scalar === 'bytes') return 2;
  if (scalar === 'double' || scalar === 'fixed64' || scalar === 'sfixed64') return 1;
  return scalar === 'float' || scalar === 'fixed32' || scalar === 'sfixed32' ? 5 : 0;
}

function doubleText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return Number.isFinite(value)
    ? String(value)
    : `"${Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'}"`;
}
