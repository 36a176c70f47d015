/**
 * Google's well-known types: JSON of their own kind. Each says how its fields (as generic proto3 JSON) become that
 * JSON, and how that JSON, once checked, becomes fields again.
 * Source: protobuf.dev/programming-guides/json.
 */
import type { Json } from './schemas.ts';

export interface WellKnown {
  /** What is allowed, for a person. */
  readonly allowed: string;
  /** From the message's own fields, defaults absent. Throws RangeError for what its JSON cannot say. */
  fromFields(fields: { readonly [name: string]: Json }): Json;
  /** To the message's own fields; undefined when the JSON is not of this kind. */
  toFields(json: Json): { readonly [name: string]: Json } | undefined;
  /** Whether the JSON is valid and as `fromFields` writes it, so that it need not be taken apart: cheap, and may miss some. */
  isCanonical?(json: unknown): boolean;
}

const MIN_SECONDS = -62_135_596_800;
const MAX_SECONDS = 253_402_300_799;
const MAX_DURATION_SECONDS = 315_576_000_000;
const MAX_NANOS = 999_999_999;

function within(value: number, least: number, most: number): number {
  if (value >= least && value <= most) return value;
  throw new RangeError(`${value} is not from ${least} to ${most}`);
}

/** 0, 3, 6 or 9 digits, as protobuf prints them. */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  if (nanos % 1_000_000 === 0) return `.${String(nanos / 1_000_000).padStart(3, '0')}`;
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(000){1,2}$/, '')}`;
}

function toNanos(digits: string | undefined): number {
  return Number((digits ?? '').padEnd(9, '0'));
}

const MILLISECONDS_AND_ZONE = '.000Z';
const RFC_3339 = /^(\d{4}-\d{2}-\d{2})[Tt]((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

const CANONICAL_TIME = /^\d{4}-\d{2}-\d{2}T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(?:\d{3}){1,3})?Z$/;

/** Events of a batch are mostly of the same second. */
let lastSecond = { seconds: 0, text: '1970-01-01T00:00:00' };

function secondText(seconds: number): string {
  if (lastSecond.seconds !== seconds) {
    const text = new Date(seconds * 1000).toISOString().slice(0, -MILLISECONDS_AND_ZONE.length);
    lastSecond = { seconds, text };
  }
  return lastSecond.text;
}

const timestamp: WellKnown = {
  allowed: 'an RFC 3339 time such as "2026-01-31T12:00:00Z"',
  fromFields: ({ seconds: secondsText = '0', nanos = 0 }) => {
    const seconds = within(Number(secondsText), MIN_SECONDS, MAX_SECONDS);
    return `${secondText(seconds)}${fraction(within(Number(nanos), 0, MAX_NANOS))}Z`;
  },
  isCanonical: (json) =>
    typeof json === 'string' &&
    CANONICAL_TIME.test(json) &&
    !json.endsWith('000Z') &&
    !json.startsWith('0000') &&
    isCalendarDay(json),
  toFields: (json) => {
    const match = typeof json === 'string' ? RFC_3339.exec(json) : null;
    if (match === null) return undefined;
    const [, day, time, digits, zone] = match as unknown as [string, string, string, string | undefined, string];
    const seconds = Date.parse(`${day}T${time}${zone.toUpperCase()}`) / 1000;
    const isReal = Number.isInteger(seconds) && isCalendarDay(day);
    if (!isReal || seconds < MIN_SECONDS || seconds > MAX_SECONDS) return undefined;
    return { seconds: String(seconds), nanos: toNanos(digits) };
  },
};

/** Date.parse moves the 30th of February to March. `day`: what a date begins. */
function isCalendarDay(day: string): boolean {
  const [year, month, date] = [Number(day.slice(0, 4)), Number(day.slice(5, 7)), Number(day.slice(8, 10))];
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && isLeap ? 29 : (DAYS[month - 1] ?? 0);
  return date >= 1 && date <= days;
}
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const duration: WellKnown = {
  allowed: 'seconds with an s, such as "1.5s"',
  fromFields: ({ seconds: secondsText = '0', nanos: nanosNumber = 0 }) => {
    const seconds = within(Number(secondsText), -MAX_DURATION_SECONDS, MAX_DURATION_SECONDS);
    const nanos = within(Number(nanosNumber), -MAX_NANOS, MAX_NANOS);
    if (seconds * nanos < 0) throw new RangeError('seconds and nanos of different signs');
    return `${seconds < 0 || nanos < 0 ? '-' : ''}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
  },
  toFields: (json) => {
    const match = typeof json === 'string' ? /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/.exec(json) : null;
    if (match === null || Number(match[2]) > MAX_DURATION_SECONDS) return undefined;
    const sign = match[1] === '-' ? -1 : 1;
    const nanos = toNanos(match[3]) * sign;
    return { seconds: String(Number(match[2]) * sign), nanos: nanos === 0 ? 0 : nanos };
  },
};

const fieldMask: WellKnown = {
  allowed: 'field names separated by commas, such as "user.name,user.email"',
  fromFields: ({ paths = [] }) =>
    (paths as readonly string[])
      .map((path) => path.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase()))
      .join(','),
  toFields: (json) => {
    if (typeof json !== 'string' || !/^[A-Za-z0-9.,]*$/.test(json)) return undefined;
    const paths = json === '' ? [] : json.split(',');
    return { paths: paths.map((path) => path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)) };
  },
};

const struct: WellKnown = {
  allowed: 'an object',
  fromFields: ({ fields = {} }) => fields,
  toFields: (json) =>
    typeof json === 'object' && json !== null && !Array.isArray(json) ? { fields: json } : undefined,
};

const listValue: WellKnown = {
  allowed: 'an array',
  fromFields: ({ values = [] }) => values,
  toFields: (json) => (Array.isArray(json) ? { values: json as Json[] } : undefined),
};

const value: WellKnown = {
  allowed: 'any JSON value',
  fromFields: (fields) => {
    if (typeof fields.numberValue === 'string') throw new RangeError('JSON has no such number');
    return Object.values(fields)[0] ?? null;
  },
  toFields: (json) => {
    if (json === null) return { nullValue: 'NULL_VALUE' };
    if (typeof json === 'number') return Number.isFinite(json) ? { numberValue: json } : undefined;
    if (typeof json === 'string') return { stringValue: json };
    if (typeof json === 'boolean') return { boolValue: json };
    return Array.isArray(json) ? { listValue: json as Json[] } : { structValue: json };
  },
};

function wrapper(allowed: string, fallback: Json): WellKnown {
  return { allowed, fromFields: ({ value: wrapped = fallback }) => wrapped, toFields: (json) => ({ value: json }) };
}

const WELL_KNOWN: Readonly<Record<string, WellKnown>> = {
  'google.protobuf.Timestamp': timestamp,
  'google.protobuf.Duration': duration,
  'google.protobuf.FieldMask': fieldMask,
  'google.protobuf.Struct': struct,
  'google.protobuf.ListValue': listValue,
  'google.protobuf.Value': value,
  'google.protobuf.DoubleValue': wrapper('a number', 0),
  'google.protobuf.FloatValue': wrapper('a number', 0),
  'google.protobuf.Int64Value': wrapper('an integer', '0'),
  'google.protobuf.UInt64Value': wrapper('an integer', '0'),
  'google.protobuf.Int32Value': wrapper('an integer', 0),
  'google.protobuf.UInt32Value': wrapper('an integer', 0),
  'google.protobuf.BoolValue': wrapper('true or false', false),
  'google.protobuf.StringValue': wrapper('a string', ''),
  'google.protobuf.BytesValue': wrapper('base64 text', ''),
};

export function wellKnown(fullName: string): WellKnown | undefined {
  return Object.hasOwn(WELL_KNOWN, fullName) ? WELL_KNOWN[fullName] : undefined;
}
