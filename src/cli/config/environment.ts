/**
 * Settings from the environment. `KAFKA_BROKERS`, `REDIS_URL` and `COLLECTOR_URL` have their known meaning; any other
 * value is `SLUICE_` and its path, `__` between keys: SLUICE_KAFKA__GROUP_ID is kafka.groupId. The schema says how a
 * text is read: numbers, true or false, lists by comma or as JSON, objects as JSON. `X_FILE` names a file that holds
 * the value of X. An empty variable counts as not set. A variable that means nothing is refused.
 */
import { readFileSync } from 'node:fs';
import { messageOf } from '../../errors.ts';
import { didYouMean } from '../../suggest.ts';
import { isTree, leaves, type Path, type Tree, valueAt } from './paths.ts';
import { DEFAULT_TOPIC } from './schema.ts';
import type { Setting } from './settings.ts';
import { alternatives, type Shape, shape, shapesAt } from './shape.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const WELL_KNOWN: Readonly<Record<string, Path>> = {
  KAFKA_BROKERS: ['kafka', 'brokers'],
  REDIS_URL: ['redis', 'main', 'url'],
  COLLECTOR_URL: ['collector', 'url'],
};
const PREFIX = 'SLUICE_';
/** Names the configuration file. */
export const FILE_VARIABLE = 'SLUICE_CONFIG';
/** Ours, and no part of the configuration: the producer library's choice, and what tests and the development stack set. */
const NO_SETTING = /^SLUICE_(CONFIG|VIA|(STACK|TEST)_[A-Z_]+)$/;
/** What Kubernetes sets for a Service called sluice, or sluice-something. */
const OF_KUBERNETES =
  /^SLUICE(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** `known` is what other sources say: names of topics and queues are looked up in it. Problems are added to the list. */
export function environmentSettings(environment: Environment, known: Tree, problems: string[]): Setting[] {
  // The generic names come last: they are the more deliberate ones.
  const names = [
    ...Object.keys(WELL_KNOWN),
    ...Object.keys(environment)
      .filter((name) => isOurs(name))
      .sort(),
  ];
  const settings: Setting[] = [];
  for (const name of new Set(names.map(withoutFile))) {
    const found = readVariable(environment, name, problems);
    const path = found && (WELL_KNOWN[name] ?? pathOf(name, known));
    if (found === undefined || path === undefined) continue;
    if (shapesAt(path).length === 0) problems.push(unknownVariable(found.source));
    else settings.push(...parsed(found.text, path, found.source, problems));
  }
  return settings;
}

function isOurs(name: string): boolean {
  return name.startsWith(PREFIX) && !NO_SETTING.test(name) && !OF_KUBERNETES.test(name);
}

function withoutFile(name: string): string {
  return name.replace(/_FILE$/, '');
}

/** The text of a variable, or of the file that its `_FILE` twin names. */
function readVariable(environment: Environment, name: string, problems: string[]) {
  const direct = environment[name] || undefined;
  const file = environment[`${name}_FILE`] || undefined;
  if (direct !== undefined && file !== undefined) problems.push(`${name} and ${name}_FILE are both set; keep one`);
  if (direct !== undefined || file === undefined)
    return direct === undefined ? undefined : { text: direct, source: name };
  try {
    return { text: readFileSync(file, 'utf8').replace(/\r?\n$/, ''), source: `${name}_FILE` };
  } catch (error) {
    problems.push(`${name}_FILE: ${messageOf(error)}`);
    return undefined;
  }
}

function pathOf(name: string, known: Tree): Path {
  const path: string[] = [];
  for (const segment of name.slice(PREFIX.length).split('__')) path.push(keyFor(segment, path, known));
  return path;
}

/** The schema's or a known key that the segment spells, or the segment in lower case as a new name. */
function keyFor(segment: string, path: Path, known: Tree): string {
  const there = valueAt(known, path);
  const named = shapesAt(path).flatMap(({ properties = {} }) => Object.keys(properties));
  const defaults = path.join() === 'topics' ? [DEFAULT_TOPIC] : [];
  const candidates = [...named, ...(isTree(there) ? Object.keys(there) : []), ...defaults];
  return candidates.find((key) => folded(key) === folded(segment)) ?? segment.toLowerCase();
}

function folded(key: string): string {
  return key.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function parsed(text: string, path: Path, source: string, problems: string[]): Setting[] {
  const shapes = shapesAt(path);
  const can = (type: string) => shapes.some((each) => each.type === type);
  if ((can('integer') || can('number')) && /^-?\d+(\.\d+)?$/.test(text)) return [{ path, value: Number(text), source }];
  if (can('boolean') && /^(true|false)$/.test(text)) return [{ path, value: text === 'true', source }];
  if ((can('object') && text.startsWith('{')) || (can('array') && text.startsWith('['))) {
    return parsedJson(text, path, source, problems);
  }
  if (can('array')) return [{ path, value: text.split(',').map((item) => item.trim()), source }];
  return [{ path, value: text, source }];
}

function parsedJson(text: string, path: Path, source: string, problems: string[]): Setting[] {
  try {
    return leaves(JSON.parse(text), path).map((leaf) => ({ ...leaf, source }));
  } catch {
    problems.push(`${source}: looks like JSON and is not`);
    return [];
  }
}

function unknownVariable(source: string): string {
  const near = didYouMean(withoutFile(source).slice(PREFIX.length), variableNames(shape()));
  return `${source} (environment): no such setting${near === undefined ? '' : `; did you mean ${PREFIX}${near}?`}`;
}

/** Every name, without its prefix, that can be spelled without knowing names of topics, queues and Redis. */
function variableNames(one: Shape, above = ''): string[] {
  const below = alternatives(one).flatMap(({ properties = {} }) => Object.entries(properties));
  return below.flatMap(([key, inner]) => {
    const own = `${above}${key.replace(/[A-Z]/g, '_$&').toUpperCase()}`;
    return [own, ...variableNames(inner, `${own}__`)];
  });
}
