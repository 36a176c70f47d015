/** From canonical proto3 JSON to protobuf's binary encoding, through protobufjs's writer. */
import protobuf from 'protobufjs';
import type { FieldInfo, MessageInfo, ScalarType, ValueType } from './descriptor.ts';
import type { Json } from './schemas.ts';
import { wellKnown } from './well-known.ts';

type Fields = Readonly<Record<string, Json>>;

export function writeMessage(message: MessageInfo, json: Json): Uint8Array {
  return write(message, json, protobuf.Writer.create()).finish();
}

function write(message: MessageInfo, json: Json, writer: protobuf.Writer): protobuf.Writer {
  const fields = (wellKnown(message.fullName)?.toFields(json) ?? json) as Fields;
  for (const field of message.fields) {
    // Own members only: a field may be called `constructor`.
    if (Object.hasOwn(fields, field.jsonName)) writeField(field, fields[field.jsonName] as Json, writer);
  }
  return writer;
}

function writeField(field: FieldInfo, json: Json, writer: protobuf.Writer): void {
  if (field.shape === 'map') writeMap(field, json as Fields, writer);
  else if (field.shape === 'singular') writeValue(field.id, field.type, json, writer);
  else if (field.isPacked && isPackable(field.type)) writePacked(field, json as readonly Json[], writer);
  else for (const each of json as readonly Json[]) writeValue(field.id, field.type, each, writer);
}

function writePacked({ id, type }: FieldInfo, values: readonly Json[], writer: protobuf.Writer): void {
  writer.uint32((id << 3) | 2).fork();
  for (const each of values) writeBare(type, each, writer);
  writer.ldelim();
}

function writeMap({ id, type, keyType }: FieldInfo, entries: Fields, writer: protobuf.Writer): void {
  const keyIs: ValueType = { kind: 'scalar', scalar: keyType as ScalarType };
  for (const [key, value] of Object.entries(entries)) {
    writer.uint32((id << 3) | 2).fork();
    writeValue(1, keyIs, keyType === 'bool' ? key === 'true' : key, writer);
    writeValue(2, type, value, writer);
    writer.ldelim();
  }
}

function writeValue(id: number, type: ValueType, json: Json, writer: protobuf.Writer): void {
  writer.uint32((id << 3) | wireTypeOf(type));
  writeBare(type, json, writer);
}

function writeBare(type: ValueType, json: Json, writer: protobuf.Writer): void {
  if (type.kind === 'message') write(type.message, json, writer.fork()).ldelim();
  else if (type.kind === 'enum')
    writer.int32(typeof json === 'number' ? json : (type.enum.byName.get(json as string) ?? 0));
  else writeScalar(type.scalar, json, writer);
}

function writeScalar(type: ScalarType, json: Json, writer: protobuf.Writer): void {
  if (type === 'string') writer.string(json as string);
  else if (type === 'bytes') writer.bytes(Buffer.from(json as string, 'base64'));
  else if (type === 'bool') writer.bool(json as boolean);
  else if (type.endsWith('64')) writer[type as 'int64'](longOf(BigInt(json as string)));
  else writer[type as 'int32'](Number(json));
}

/** The two halves that protobufjs takes for a 64-bit number. */
function longOf(value: bigint): protobuf.Long {
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: false } as protobuf.Long;
}

function isPackable(type: ValueType): boolean {
  return wireTypeOf(type) !== 2;
}

function wireTypeOf(type: ValueType): number {
  if (type.kind === 'message') return 2;
  return type.kind === 'enum' ? 0 : (protobuf.types.basic[type.scalar] as number);
}
