/**
 * Finds the workers: every .ts, .mts, .js, .mjs and .cjs file under a folder, but tests, declarations, and names that
 * begin with `_` or `.`. All errors are SluiceError WORKER and name the file; nothing is passed over in silence.
 */
import { existsSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import { filesUnder } from '../files-under.ts';
import type { Schemas } from '../schema/schemas.ts';
import { isDefined } from './define.ts';
import { commonJsHint, failedLine } from './failed-import.ts';
import type { SidekiqWorkerDefinition } from './sidekiq-worker.ts';
import type { WorkerDefinition } from './worker.ts';

export interface WorkersOf<Definition> {
  /** By message type, or by Ruby class. */
  get(name: string): Definition | undefined;
  all(): readonly { readonly file: string; readonly definition: Definition }[];
  /** Sorted. */
  queues(): readonly string[];
}

/** The workers of BullMQ queues, and apart from them those of Sidekiq's. */
export interface WorkerSet extends WorkersOf<WorkerDefinition> {
  readonly sidekiq: WorkersOf<SidekiqWorkerDefinition>;
}

type AnyDefinition = WorkerDefinition | SidekiqWorkerDefinition;

interface Found<Definition = AnyDefinition> {
  readonly file: string;
  readonly definition: Definition;
}

const WORKER_FILE = /\.(ts|mts|cts|js|mjs|cjs)$/;
const NO_WORKER_FILE = /\.d\.[mc]?ts$|\.(test|spec)\.[mc]?[jt]s$/;

export async function discoverWorkers(dir: string, schemas: Schemas): Promise<WorkerSet> {
  const found: Found[] = [];
  for (const file of workerFiles(resolve(dir))) {
    const definitions = await load(file);
    for (const definition of definitions) {
      requireSchema(file, definition, schemas);
      requireNoTwin({ file, definition }, found);
      found.push({ file, definition });
    }
  }
  return workerSet(found);
}

export function workerSet(found: readonly Found[]): WorkerSet {
  const ofMessages = found.filter((each): each is Found<WorkerDefinition> => !isOfSidekiq(each.definition));
  const ofClasses = found.filter((each): each is Found<SidekiqWorkerDefinition> => isOfSidekiq(each.definition));
  return { ...workersOf(ofMessages), sidekiq: workersOf(ofClasses) };
}

function workersOf<Definition extends AnyDefinition>(found: readonly Found<Definition>[]): WorkersOf<Definition> {
  const byName = new Map(found.map(({ definition }) => [nameOf(definition), definition]));
  return {
    get: (name) => byName.get(name),
    all: () => found,
    queues: () => [...new Set(found.map(({ definition }) => definition.queue))].sort(),
  };
}

export function isOfSidekiq(definition: AnyDefinition): definition is SidekiqWorkerDefinition {
  return 'sidekiq' in definition;
}

/** What a job says of the worker that it wants. */
function nameOf(definition: AnyDefinition): string {
  return isOfSidekiq(definition) ? definition.sidekiq : definition.message;
}

function requireNoTwin({ file, definition }: Found, found: readonly Found[]): void {
  const [isClass, name] = [isOfSidekiq(definition), nameOf(definition)];
  const twin = found.find((other) => isOfSidekiq(other.definition) === isClass && nameOf(other.definition) === name);
  if (twin === undefined) return;
  const rule = isClass ? 'a Sidekiq class has one worker' : 'a message has one worker';
  throw new SluiceError('WORKER', `two workers for ${name}: ${shown(twin.file)} and ${shown(file)}; ${rule}`);
}

function workerFiles(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const isKept = (file: string) =>
    relative(dir, file)
      .split(sep)
      .every((part) => !part.startsWith('_'));
  return filesUnder(dir).filter((file) => WORKER_FILE.test(file) && !NO_WORKER_FILE.test(file) && isKept(file));
}

async function load(file: string): Promise<AnyDefinition[]> {
  const module = await importWorker(file);
  const exported = Object.values(module).flatMap((each) => (isCommonJs(each) ? Object.values(each) : [each]));
  const definitions = [...new Set(exported.filter(isDefined))] as AnyDefinition[];
  if (definitions.length > 0) return definitions;
  throw new SluiceError(
    'WORKER',
    `${shown(file)}: exports no worker; write: export default defineWorker('pkg.Message', { run(message) {} }), or begin the file's name with _ if it is none`,
  );
}

/** A CommonJS module arrives as one default export that holds its exports. */
function isCommonJs(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !isDefined(value);
}

async function importWorker(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (error) {
    throw new SluiceError('WORKER', `${placeOf(file, error)}: ${explain(error)}`, { cause: error });
  }
}

function explain(error: unknown): string {
  const code: unknown = Reflect.get(Object(error), 'code');
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return `${messageOf(error)}: Node strips types and does not compile; avoid enum, namespace and parameter properties, or compile the folder and pass it by --workers`;
  }
  if (code === 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING') {
    return 'Node runs no TypeScript under node_modules; compile these workers and pass the folder by --workers';
  }
  if (code === 'ERR_INVALID_TYPESCRIPT_SYNTAX') return `not valid TypeScript: ${messageOf(error)}`;
  return isSluiceError(error) ? error.message : `cannot be loaded: ${messageOf(error)}${commonJsHint(error)}`;
}

/** The file, with the line where Node names one. */
function placeOf(file: string, error: unknown): string {
  const line = failedLine(file, error);
  return line === undefined ? shown(file) : `${shown(file)}:${line}`;
}

function requireSchema(file: string, { message }: AnyDefinition, schemas: Schemas): void {
  if (message === undefined) return;
  try {
    schemas.codec(message);
  } catch (error) {
    throw new SluiceError('WORKER', `${shown(file)}: ${messageOf(error)}`, { cause: error });
  }
}

function shown(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith('..') ? file : near;
}
