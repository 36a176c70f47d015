/**
 * Checks a message at an edge and brings it into canonical proto3 JSON. Takes proto3 JSON and the TypeScript form
 * (bigint, Uint8Array, Date) alike. Strict: what does not fit is an error that names the field's path, the value's
 * kind and what is allowed; nothing is dropped and nothing coerced.
 */
import { SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';
import {
  type FieldInfo,
  INTEGER_BITS,
  type IntegerType,
  type MessageInfo,
  type ScalarType,
  type ValueType,
} from './descriptor.ts';
import { shortestFloat } from './float.ts';
import type { Json } from './schemas.ts';
import { wellKnown } from './well-known.ts';

const MAX_DEPTH = 100;

export function toCanonical(message: MessageInfo, value: unknown): Json {
  return canonicalMessage(message, value, '', 0);
}

function canonicalMessage(message: MessageInfo, value: unknown, path: string, depth: number): Json {
  if (depth > MAX_DEPTH) throw invalid(path, value, `at most ${MAX_DEPTH} levels`);
  const special = wellKnown(message.fullName);
  if (special === undefined) return canonicalFields(message, value, path, depth);
  if (special.isCanonical?.(value)) return value as Json;
  const json = value instanceof Date && !Number.isNaN(value.getTime()) ? value.toISOString() : value;
  if (isPlain(json)) {
    const fields = special.toFields(json as Json);
    if (fields !== undefined) {
      return special.fromFields(
        canonicalFields(message, fields, path, depth, isWrapper(message)) as Record<string, Json>,
      );
    }
  }
  throw invalid(path, value, special.allowed);
}

/** Of a wrapper, the path names the field that holds it and not the wrapper's own. */
function isWrapper({ fullName }: MessageInfo): boolean {
  return /^google\.protobuf\.\w+Value$/.test(fullName);
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean', 'bigint', 'object'].includes(typeof value);
}

function canonicalFields(message: MessageInfo, value: unknown, path: string, depth: number, isInner = false): Json {
  if (!isObject(value)) throw invalid(path, value, `an object of ${message.fullName}`);
  const chosen = new Map<string, string>();
  const canonical: Record<string, Json> = {};
  for (const name of Object.keys(value)) {
    const field = message.byName.get(name);
    if (field === undefined) throw unknownField(message, path, name);
    const twin = name === field.jsonName ? field.name : field.jsonName;
    if (twin !== name && Object.hasOwn(value, twin)) throw givenTwice(isInner ? path : join(path, twin), name);
    const at = isInner ? path : join(path, name);
    const each = value[name];
    if (each === undefined || (each === null && !takesNull(field))) continue;
    if (field.oneof !== undefined) {
      const other = chosen.get(field.oneof);
      if (other !== undefined)
        throw refused(`${at}: "${other}" is set too; of the oneof ${field.oneof} one member is allowed`);
      chosen.set(field.oneof, name);
    }
    const json = canonicalField(field, each, at, depth + 1);
    if (field.hasPresence || !isDefault(field, json)) canonical[field.jsonName] = json;
  }
  return canonical;
}

function givenTwice(path: string, name: string): SluiceError {
  return refused(`${path}: the same field as "${shown(name)}"; give it once`);
}

function takesNull({ type }: FieldInfo): boolean {
  if (type.kind === 'message') return type.message.fullName === 'google.protobuf.Value';
  return type.kind === 'enum' && type.enum.fullName === 'google.protobuf.NullValue';
}

function unknownField({ fullName, fields }: MessageInfo, path: string, name: string): SluiceError {
  const names = fields.map(({ jsonName }) => jsonName);
  const allowed = names.length > 0 ? `its fields are ${names.join(', ')}` : 'it has no fields';
  return refused(`${join(path, name)}: ${fullName} has no such field${suggestion(name, names)}; ${allowed}`);
}

function canonicalField(field: FieldInfo, value: unknown, path: string, depth: number): Json {
  if (field.shape === 'singular') return canonicalValue(field.type, value, path, depth);
  if (field.shape === 'repeated') {
    if (!Array.isArray(value)) throw invalid(path, value, 'an array');
    return value.map((each: unknown, i) => canonicalValue(field.type, each, `${path}[${i}]`, depth));
  }
  return canonicalMap(field, value, path, depth);
}

function canonicalMap(field: FieldInfo, value: unknown, path: string, depth: number): Json {
  const entries = value instanceof Map ? [...value] : isObject(value) ? Object.entries(value) : undefined;
  if (entries === undefined) throw invalid(path, value, 'an object');
  const canonical: [string, Json][] = entries.map(([key, each]: [unknown, unknown]) => {
    const at = `${path}[${JSON.stringify(shown(String(key)))}]`;
    return [canonicalKey(field.keyType as ScalarType, key, at), canonicalValue(field.type, each, at, depth)];
  });
  return Object.fromEntries(canonical);
}

function canonicalKey(type: ScalarType, key: unknown, path: string): string {
  if (type === 'string') return String(key);
  if (type === 'bool') {
    if (String(key) === 'true' || String(key) === 'false') return String(key);
    throw invalid(path, key, '"true" or "false" as the key');
  }
  return String(integer(type as IntegerType, key, path));
}

function canonicalValue(type: ValueType, value: unknown, path: string, depth: number): Json {
  if (type.kind === 'message') return canonicalMessage(type.message, value, path, depth);
  if (type.kind === 'enum') return enumValue(type, value, path);
  switch (type.scalar) {
    case 'bool':
      if (typeof value !== 'boolean') throw invalid(path, value, 'true or false');
      return value;
    case 'string':
      if (typeof value !== 'string') throw invalid(path, value, 'a string');
      if (!value.isWellFormed()) throw invalid(path, value, 'a string without lone surrogates');
      return value;
    case 'bytes':
      return bytes(value, path);
    case 'double':
    case 'float':
      return floating(type.scalar, value, path);
    default:
      return integer(type.scalar, value, path);
  }
}

function enumValue({ enum: type }: Extract<ValueType, { kind: 'enum' }>, value: unknown, path: string): Json {
  if (type.fullName === 'google.protobuf.NullValue' && (value === null || value === 'NULL_VALUE')) return null;
  if (typeof value === 'number' && Number.isInteger(value) && (value | 0) === value)
    return type.byNumber.get(value) ?? value;
  if (typeof value === 'string' && type.byName.has(value))
    return type.byNumber.get(type.byName.get(value) as number) as string;
  const names = [...type.byName.keys()];
  const near = typeof value === 'string' ? suggestion(value, names) : '';
  throw invalid(path, value, `one of ${names.join(', ')}${near}`);
}

const BASE64 = /^(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}(?:==)?|[A-Za-z0-9+/_-]{3}=?)?$/;

function bytes(value: unknown, path: string): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (typeof value === 'string' && BASE64.test(value)) return Buffer.from(value, 'base64').toString('base64');
  throw invalid(path, value, 'a Uint8Array or base64 text');
}

const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const MAX_FLOAT = 3.4028234663852886e38;

function floating(type: 'double' | 'float', value: unknown, path: string): Json {
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return value;
  const number = typeof value === 'string' && DECIMAL.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || (typeof value === 'string' && !Number.isFinite(number))) {
    throw invalid(path, value, 'a number, "NaN", "Infinity" or "-Infinity"');
  }
  if (!Number.isFinite(number)) return String(number);
  if (type === 'float' && Math.abs(number) > MAX_FLOAT) throw invalid(path, value, 'a 32-bit float');
  return type === 'float' ? shortestFloat(number) : number;
}

/** 32-bit integers as numbers, 64-bit ones as text. Numbers beyond 2^53 have lost digits already and are refused. */
function integer(type: IntegerType, value: unknown, path: string): number | string {
  const bits = INTEGER_BITS[type];
  const isUnsigned = type.startsWith('u') || type.startsWith('fixed');
  const allowed = `${isUnsigned ? 'an unsigned' : 'a signed'} ${bits}-bit integer${bits === 64 ? ' as a bigint, as text or as a number up to 2^53' : ''}`;
  const exact = toBigInt(value);
  if (exact === undefined) throw invalid(path, value, allowed);
  const fits = isUnsigned ? BigInt.asUintN(bits, exact) : BigInt.asIntN(bits, exact);
  if (fits !== exact) throw invalid(path, value, allowed);
  return bits === 64 ? exact.toString() : Number(exact);
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined;
  return typeof value === 'string' && /^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined;
}

function isDefault({ type, shape }: FieldInfo, json: Json): boolean {
  if (Array.isArray(json)) return json.length === 0;
  if (shape === 'map') return Object.keys(json as object).length === 0;
  if (type.kind === 'enum') return json === (type.enum.byNumber.get(0) ?? 0);
  return (
    json === '' ||
    json === false ||
    Object.is(json, 0) ||
    (json === '0' && type.kind === 'scalar' && type.scalar.endsWith('64'))
  );
}

/** Literals and instances of classes; not a Date, a Map or a Promise, which would pass as a message without fields. */
function isObject(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function join(path: string, name: string): string {
  return path === '' ? shown(name) : `${path}.${shown(name)}`;
}

const SHOWN_CHARACTERS = 40;

/** Names come from outside and may be as long as a record. */
function shown(text: string): string {
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}...` : text;
}

function invalid(path: string, value: unknown, allowed: string): SluiceError {
  return refused(`${path === '' ? 'the message' : path}: ${describe(value)} is not allowed; allowed: ${allowed}`);
}

/** The kind of a value, and the value where it is short. */
function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : 'a Date';
  if (typeof value === 'object')
    return isObject(value) ? 'an object' : `a ${value.constructor?.name ?? 'strange object'}`;
  if (typeof value === 'function' || typeof value === 'symbol') return `a ${typeof value}`;
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return `the ${typeof value} ${shown(text)}`;
}

function refused(message: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', message);
}
