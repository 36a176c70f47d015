/** What may stand where: the configuration's schema as a tree that can be asked by path. */
import { z } from 'zod';
import type { Path } from './paths.ts';
import { configSchema } from './schema.ts';

/** The part of JSON Schema that zod emits for the configuration. */
export interface Shape {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly propertyNames?: Shape;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly enum?: readonly string[];
  readonly const?: string;
  /** What the schema itself says is allowed, where a pattern would be all that could be shown. */
  readonly allowed?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
}

let whole: Shape | undefined;

export function shape(): Shape {
  whole ??= z.toJSONSchema(configSchema, { io: 'input', unrepresentable: 'any' }) as Shape;
  return whole;
}

/** Every alternative that may stand at a path; empty where nothing may. */
export function shapesAt(path: Path): readonly Shape[] {
  return path.reduce((shapes, key) => shapes.flatMap((each) => below(each, key)), alternatives(shape()));
}

/** A shape without alternatives is its own only one. */
export function alternatives(one: Shape): readonly Shape[] {
  const inner = one.anyOf ?? one.oneOf;
  return inner === undefined ? [one] : inner.flatMap(alternatives);
}

function below(one: Shape, key: string): readonly Shape[] {
  if (one.properties !== undefined && Object.hasOwn(one.properties, key)) {
    return alternatives(one.properties[key] as Shape);
  }
  if (typeof one.additionalProperties === 'object') return alternatives(one.additionalProperties);
  return one.items !== undefined && /^\d+$/.test(key) ? alternatives(one.items) : [];
}

/** The keys that the schema names at a path. */
export function keysAt(path: Path): readonly string[] {
  return [...new Set(shapesAt(path).flatMap(({ properties = {} }) => Object.keys(properties)))];
}

/** What is said about the value at a path. */
export function descriptionAt(path: Path): string | undefined {
  const parents = shapesAt(path.slice(0, -1));
  return parents.map(({ properties = {} }) => properties[path.at(-1) ?? '']?.description).find(Boolean);
}

/** "a whole number from 1 to 10000", 'one of "a", "b"', ...: what is allowed, in words. */
export function allowed(shapes: readonly Shape[]): string {
  return [...new Set(shapes.map(inWords))].filter(Boolean).join(', or ');
}

function inWords(one: Shape): string {
  if (one.enum !== undefined) return `one of ${one.enum.map((value) => JSON.stringify(value)).join(', ')}`;
  if (one.const !== undefined) return JSON.stringify(one.const);
  if (one.type === 'integer' || one.type === 'number') return numberInWords(one);
  if (one.type === 'string') return textInWords(one);
  if (one.type === 'array') return `a list, each ${allowed(alternatives(one.items ?? {}))}`;
  return one.type === undefined ? '' : ({ boolean: 'true or false', object: 'an object' }[one.type] ?? one.type);
}

function numberInWords({ type, minimum, exclusiveMinimum, maximum = Number.MAX_SAFE_INTEGER }: Shape): string {
  const kind = type === 'integer' ? 'a whole number' : 'a number';
  const least = minimum ?? (exclusiveMinimum === undefined ? undefined : exclusiveMinimum + 1);
  const from = least === undefined || least === Number.MIN_SAFE_INTEGER ? '' : ` from ${least}`;
  const to = maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`;
  return from !== '' && to === '' ? `${kind}${from} on` : `${kind}${from}${to}`;
}

function textInWords({ allowed: words, format }: Shape): string {
  return words ?? (format === 'uri' ? 'an http or https address' : 'a text');
}
