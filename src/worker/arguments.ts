/**
 * The arguments of a Sidekiq job as the message that its worker takes. What the worker's definition leaves open, the
 * arguments' look decides: one object is the message's proto3 JSON, one text that is base64 of nothing but known fields is
 * its binary form, everything else is its fields in the order of their numbers. Throws INVALID_MESSAGE.
 */
import type { ArgumentForm } from '../definition/sidekiq-worker.ts';
import { SluiceError } from '../errors.ts';
import type { Codec } from '../schema/schemas.ts';

/** What ActiveJob writes into a hash, to know its kind of keys again. */
const ACTIVE_JOB_MARKS = new Set(['_aj_symbol_keys', '_aj_ruby2_keywords', '_aj_hash_with_indifferent_access']);
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function messageFrom(args: readonly unknown[], codec: Codec, form: ArgumentForm | undefined): unknown {
  const binary = form === undefined ? binaryIn(args, codec) : undefined;
  if (binary !== undefined) return codec.decode(binary);
  switch (form ?? (args.length === 1 && isHash(args[0]) ? 'json' : 'fields')) {
    case 'json':
      return codec.fromJson(withoutMarks(only(args, 'an object')));
    case 'base64':
      return codec.decode(bytesOf(only(args, 'a base64 text')));
    case 'fields':
      return codec.fromJson(byFields(args, codec));
  }
}

/** The arguments that are this message; throws INVALID_MESSAGE for one that does not fit its schema. */
export function argumentsFrom(message: unknown, codec: Codec, form: ArgumentForm = 'base64'): unknown[] {
  if (form === 'base64') return [Buffer.from(codec.encode(message)).toString('base64')];
  const json = codec.toJson(message) as Record<string, unknown>;
  return form === 'json' ? [json] : codec.fields.map((name) => json[name] ?? null);
}

/** A text that merely looks like base64 hardly ever reads as a message whose every field is known. */
function binaryIn(args: readonly unknown[], codec: Codec): Buffer | undefined {
  const [text] = args;
  if (args.length !== 1 || typeof text !== 'string' || text === '' || !BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  try {
    return codec.decodeToJson(bytes).drift === 0 ? bytes : undefined;
  } catch {
    return undefined;
  }
}

function only(args: readonly unknown[], allowed: string): unknown {
  if (args.length === 1) return args[0];
  throw new SluiceError('INVALID_MESSAGE', `${args.length} arguments; allowed: one, ${allowed}`);
}

function bytesOf(value: unknown): Buffer {
  if (typeof value === 'string' && BASE64.test(value)) return Buffer.from(value, 'base64');
  const shown = typeof value === 'string' ? 'a text that is not base64' : `a value of kind ${typeof value}`;
  throw new SluiceError('INVALID_MESSAGE', `the argument is ${shown}; allowed: a base64 text`);
}

function byFields(args: readonly unknown[], { type, fields }: Codec): Record<string, unknown> {
  if (args.length > fields.length) {
    const allowed = fields.length === 0 ? 'none' : `up to ${fields.length}: ${fields.join(', ')}`;
    throw new SluiceError('INVALID_MESSAGE', `${args.length} arguments for ${type}; allowed: ${allowed}`);
  }
  return Object.fromEntries(args.map((each, i) => [fields[i], withoutMarks(each)]));
}

function isHash(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (!isHash(value)) return value;
  const kept = Object.entries(value).filter(([name]) => !ACTIVE_JOB_MARKS.has(name));
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutMarks(each)]));
}
