/**
 * Composes the configuration and checks it as a whole. Every error is SluiceError CONFIG and names the setting, where
 * it is from, the value's kind and what is allowed. The result is frozen.
 */
import type { z } from 'zod';
import { SluiceError } from '../errors.ts';
import { suggestion } from '../suggest.ts';
import { type Config, configShape } from './config-shape.ts';
import { environmentSources, fileSource, type Source } from './config-sources.ts';

export interface LoadOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Path of the configuration file. */
  readonly file?: string | undefined;
  /** Settings given as flags. */
  readonly flags?: readonly Source[];
}

export interface LoadedConfig {
  readonly config: Config;
  /** Where the value at a path is from: `kafka.brokers` to `KAFKA_BROKERS`. What is not listed is a default. */
  sourceOf(path: string): string;
}

export async function loadConfig({ cwd, env, file, flags = [] }: LoadOptions): Promise<LoadedConfig> {
  const fromFile = await fileSource(cwd, file);
  const sources = [...(fromFile === undefined ? [] : [fromFile]), ...environmentSources(env), ...flags];
  const origins = new Map<string, string>();
  const merged: Record<string, unknown> = {};
  for (const source of sources) put(merged, source, origins);
  withMain(merged);
  const sourceOf = (path: string) => origins.get(path) ?? 'default';
  const result = configShape.safeParse(merged);
  if (!result.success)
    throw new SluiceError('CONFIG', result.error.issues.map((issue) => explain(issue, merged, origins)).join('\n'));
  crossCheck(result.data, sourceOf);
  return { config: deepFreeze(result.data), sourceOf };
}

/** Lays a source over what is there, leaf by leaf. */
function put(target: Record<string, unknown>, { name, path, value }: Source, origins: Map<string, string>): void {
  for (const [leaf, each] of leaves(value, path)) {
    let at = target;
    for (const step of leaf.slice(0, -1)) {
      if (!isPlain(at[step])) at[step] = {};
      at = at[step] as Record<string, unknown>;
    }
    at[leaf.at(-1) as string] = each;
    origins.set(leaf.join('.'), name);
  }
}

function leaves(value: unknown, path: readonly string[]): [readonly string[], unknown][] {
  if (!isPlain(value) || (path.length > 0 && Object.keys(value).length === 0))
    return path.length === 0 ? [] : [[path, value]];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withMain(merged: Record<string, unknown>): void {
  merged.redis ??= {};
  if (isPlain(merged.redis)) merged.redis.main ??= {};
}

type Issue = z.core.$ZodIssue;

function explain(issue: Issue, input: unknown, origins: ReadonlyMap<string, string>): string {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key], origins)).join('\n');
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const inner = issue.errors.flat().map((each) => each.message);
    return line(path, input, [...new Set(inner)].join(', or '), origins);
  }
  return line(path, input, issue.message, origins);
}

function line(path: readonly string[], input: unknown, message: string, origins: ReadonlyMap<string, string>): string {
  const value = path.reduce<unknown>(
    (at, step) => (typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined),
    input,
  );
  return `${path.join('.')}${from(path, origins)}: ${kindOf(path, value)} is not allowed: ${message}`;
}

const SECRET = /password|secret|key|token|url/i;

function kindOf(path: readonly string[], value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' || typeof value === 'function')
    return `a ${typeof value}`.replace('a object', 'an object');
  return SECRET.test(path.at(-1) ?? '') ? `the ${typeof value}` : `the ${typeof value} ${JSON.stringify(value)}`;
}

function from(path: readonly string[], origins: ReadonlyMap<string, string>): string {
  const dotted = path.join('.');
  const name = origins.get(dotted) ?? [...origins].find(([leaf]) => leaf.startsWith(`${dotted}.`))?.[1];
  return name === undefined ? '' : ` (from ${name})`;
}

function unknownKey(path: readonly string[], origins: ReadonlyMap<string, string>): string {
  const known = knownKeys(path.slice(0, -1));
  const key = path.at(-1) as string;
  return `${path.join('.')}${from(path, origins)}: no such setting${suggestion(key, known)}; allowed: ${known.join(', ')}`;
}

/** Names of the settings at a path. */
function knownKeys(path: readonly string[]): string[] {
  let at: unknown = configShape;
  for (const step of path) at = inner(unwrap(at), step);
  const shape: unknown = Reflect.get(Object(unwrap(at)), 'shape');
  return Object.keys(Object(shape) as object);
}

function unwrap(schema: unknown): unknown {
  const next: unknown = Reflect.get(Object(Reflect.get(Object(schema), 'def')), 'innerType');
  return next === undefined ? schema : unwrap(next);
}

function inner(schema: unknown, step: string): unknown {
  const shape: unknown = Reflect.get(Object(schema), 'shape');
  return shape === undefined ? Reflect.get(Object(schema), 'valueType') : Reflect.get(Object(shape), step);
}

/** What no single setting can know. */
function crossCheck(config: Config, sourceOf: (path: string) => string): void {
  const problems: string[] = [];
  const redisNames = Object.keys(config.redis);
  for (const [queue, { redis }] of Object.entries(config.queues)) {
    if (redisNames.includes(redis)) continue;
    const path = `queues.${queue}.redis`;
    problems.push(
      `${path} (from ${sourceOf(path)}): no Redis is called "${redis}"${suggestion(redis, redisNames)}; there are ${redisNames.join(', ')}`,
    );
  }
  for (const [topic, { record, message, queue, queues }] of Object.entries(config.topics)) {
    if (!/^[A-Za-z0-9._-]{1,245}$/.test(topic))
      problems.push(`topics.${topic}: no name that Kafka allows, with room for ".dlq"`);
    if (record !== 'envelope' && message === undefined) {
      problems.push(
        `topics.${topic}.message: nothing is not allowed: records of kind ${record} need the name of their message type`,
      );
    }
    const known = [...Object.keys(config.queues)];
    for (const name of queues ?? []) {
      if (known.length > 0 && !known.includes(name))
        problems.push(`topics.${topic}.queues: no queue is configured as "${name}"${suggestion(name, known)}`);
    }
    if (typeof queue === 'string' && /[:{}\s]/.test(queue))
      problems.push(`topics.${topic}.queue: "${queue}" is no queue name: without ':', '{', '}' and blanks`);
  }
  if (problems.length > 0) throw new SluiceError('CONFIG', problems.join('\n'));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
