/**
 * From canonical proto3 JSON to the message that a worker gets: 64-bit integers as bigint, bytes as Uint8Array,
 * floats as numbers also where JSON has only text for them, defaults filled in. Unset messages, `optional` fields
 * and members of a oneof stay absent. Times and durations stay text: lossless, and a `Date` is one call away.
 */
import type { FieldInfo, MessageInfo, ScalarType, ValueType } from './descriptor.ts';
import type { Json } from './schemas.ts';
import { wellKnown } from './well-known.ts';

type Fields = Readonly<Record<string, Json>>;

const BIG_WRAPPERS = new Set(['google.protobuf.Int64Value', 'google.protobuf.UInt64Value']);

export function toMessage(message: MessageInfo, json: Json): unknown {
  if (BIG_WRAPPERS.has(message.fullName)) return BigInt(json as string);
  if (message.fullName === 'google.protobuf.BytesValue') return toBytes(json as string);
  if (wellKnown(message.fullName) !== undefined) return json;
  const fields = json as Fields;
  const result: Record<string, unknown> = {};
  for (const field of message.fields) {
    // Own members only: a field may be called `constructor`.
    if (Object.hasOwn(fields, field.jsonName))
      result[field.jsonName] = fieldValue(field, fields[field.jsonName] as Json);
    else if (!field.hasPresence) result[field.jsonName] = defaultOf(field);
  }
  return result;
}

function fieldValue({ shape, type }: FieldInfo, json: Json): unknown {
  if (shape === 'singular') return valueFrom(type, json);
  if (shape === 'repeated') return (json as readonly Json[]).map((each) => valueFrom(type, each));
  return Object.fromEntries(Object.entries(json as Fields).map(([key, each]) => [key, valueFrom(type, each)]));
}

function valueFrom(type: ValueType, json: Json): unknown {
  if (type.kind === 'message') return toMessage(type.message, json);
  return type.kind === 'enum' ? json : scalarOf(type.scalar, json);
}

function scalarOf(type: ScalarType, json: Json): unknown {
  if (type.endsWith('64')) return BigInt(json as string);
  if (type === 'bytes') return toBytes(json as string);
  return type === 'double' || type === 'float' ? Number(json) : json;
}

function toBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function defaultOf({ shape, type }: FieldInfo): unknown {
  if (shape === 'repeated') return [];
  if (shape === 'map') return {};
  if (type.kind === 'enum') return type.enum.byNumber.get(0) ?? 0;
  if (type.kind === 'message') return undefined;
  if (type.scalar === 'string') return '';
  if (type.scalar === 'bool') return false;
  if (type.scalar === 'bytes') return new Uint8Array();
  return type.scalar.endsWith('64') ? 0n : 0;
}
