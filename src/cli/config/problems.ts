/** What is wrong with a configuration, in words: the path, where the value came from, its kind, what is allowed. */
import type { z } from 'zod';
import { suggestion } from '../../suggest.ts';
import { kindOf, type Path, valueAt, written } from './paths.ts';
import { isSecret } from './secrets.ts';
import { allowed, descriptionAt, keysAt, shapesAt } from './shape.ts';

export interface Context {
  readonly tree: unknown;
  /** ` (from ...)` or nothing. */
  from(path: Path): string;
}

export function inWords(issue: z.core.$ZodIssue, context: Context): string[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, context));
  if (issue.code === 'invalid_key') return [badName(path, context)];
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return [...inUnion(issue, path, context)];
  return [wrongValue(path, context, issue.code === 'custom' ? issue : undefined)];
}

/** A union of objects: the problems of the alternative that got furthest; else the value as a whole is wrong. */
function inUnion(issue: z.core.$ZodIssueInvalidUnion, path: Path, context: Context): string[] {
  const deep = issue.errors.filter((errors) => errors.every((each) => each.path.length > 0 || 'keys' in each));
  const best = deep.sort((a, b) => a.length - b.length)[0];
  if (best === undefined) return [wrongValue(path, context, undefined)];
  return best.flatMap((each) => inWords({ ...each, path: [...path, ...each.path] } as z.core.$ZodIssue, context));
}

function unknownKey(path: Path, key: string, { from }: Context): string {
  const known = keysAt(path);
  const list = known.length > 0 && known.length <= 12 ? `; known: ${known.join(', ')}` : '';
  const near = suggestion(key, known);
  return `${written([...path, key])}${from([...path, key])}: no such key${near || list}`;
}

function badName(path: Path, { from }: Context): string {
  const shapes = shapesAt(path.slice(0, -1));
  const rule = shapes.find(({ propertyNames }) => propertyNames)?.propertyNames?.description ?? '';
  return `${written(path)}${from(path)}: ${JSON.stringify(path.at(-1))} is no name that can be used. ${rule}`;
}

/** `rule`: a check of the schema's own, which says what is allowed, and of what kind the value is where it knows better. */
function wrongValue(path: Path, { tree, from }: Context, rule: z.core.$ZodIssueCustom | undefined): string {
  const value = valueAt(tree, path);
  const said = rule?.message ?? allowed(shapesAt(path));
  const about = descriptionAt(path);
  if (value === undefined)
    return `${written(path)}${from(path)}: missing; allowed: ${said}${about ? ` (${about})` : ''}`;
  return `${written(path)}${from(path)}: ${rule?.params?.kind ?? shown(value, path)} is not allowed; allowed: ${said}${about ? ` (${about})` : ''}`;
}

/** The kind of a value, and the value itself where it is short and no secret can be in it. */
function shown(value: unknown, path: Path): string {
  const isPlain = typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
  const text = isPlain ? JSON.stringify(value) : '';
  return isPlain && text.length <= 40 && !isSecret(path) ? `${kindOf(value)} (${text})` : kindOf(value);
}
