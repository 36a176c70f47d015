/**
 * Where settings come from: flags over environment over file over defaults. Each source becomes a partial
 * configuration with a name, so that every value can say where it is from.
 */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { messageOf, SluiceError } from '../errors.ts';

export interface Source {
  /** For a person: `sluice.config.ts`, `KAFKA_BROKERS`, `--workers`. */
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

type Environment = Readonly<Record<string, string | undefined>>;

const FILE_NAMES = ['sluice.config.ts', 'sluice.config.mts', 'sluice.config.mjs', 'sluice.config.js'];

/** Short names that other tools use too. */
const WELL_KNOWN: Readonly<Record<string, readonly string[]>> = {
  KAFKA_BROKERS: ['kafka', 'brokers'],
  REDIS_URL: ['redis', 'main', 'url'],
  COLLECTOR_URL: ['collector', 'url'],
};
/** Read by other parts, and no settings. */
const NO_SETTINGS = new Set(['SLUICE_VIA', 'SLUICE_STACK_DIR', 'SLUICE_CONFIG']);
const LISTS = new Set(['kafka.brokers', 'proto']);

/** `file` is the one asked for by flag; without it the usual names are looked for in `cwd`. */
export async function fileSource(cwd: string, file: string | undefined): Promise<Source | undefined> {
  const names = file === undefined ? FILE_NAMES : [file];
  const found = names.map((name) => resolve(cwd, name)).find((path) => existsSync(path));
  if (found === undefined) {
    if (file !== undefined) throw new SluiceError('CONFIG', `${file}: no such file`);
    return undefined;
  }
  const name = names.find((each) => resolve(cwd, each) === found) ?? found;
  return { name, path: [], value: await importDefault(name, found) };
}

async function importDefault(name: string, path: string): Promise<unknown> {
  try {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
    if (module.default !== undefined) return module.default;
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    const line = stack.includes(path) ? /^:(\d+)/.exec(stack.slice(stack.indexOf(path) + path.length))?.[1] : undefined;
    throw new SluiceError('CONFIG', `${name}${line === undefined ? '' : `:${line}`}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  throw new SluiceError('CONFIG', `${name}: has no default export; write: export default defineConfig({ ... })`);
}

/**
 * KAFKA_BROKERS, REDIS_URL and COLLECTOR_URL, and any other setting as SLUICE_ and its path in capitals, steps parted
 * by two underscores and words by one: SLUICE_KAFKA__GROUP_ID is kafka.groupId. A name that ends in _FILE holds the
 * path of a file with the value.
 */
export function environmentSources(env: Environment): Source[] {
  return Object.entries(env).flatMap(([name, text]) => {
    if (text === undefined || text === '') return [];
    const isFile = name.endsWith('_FILE');
    const bare = isFile ? name.slice(0, -'_FILE'.length) : name;
    const path = pathOf(bare);
    if (path === undefined || NO_SETTINGS.has(bare)) return [];
    const value = isFile ? readSecret(name, text) : text;
    return [{ name, path, value: parseValue(path, value) }];
  });
}

function pathOf(name: string): readonly string[] | undefined {
  if (Object.hasOwn(WELL_KNOWN, name)) return WELL_KNOWN[name];
  if (!name.startsWith('SLUICE_')) return undefined;
  const steps = name.slice('SLUICE_'.length).split('__');
  return steps.map((step) =>
    step.toLowerCase().replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase()),
  );
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new SluiceError('CONFIG', `${name}: cannot read ${file}: ${messageOf(error)}`);
  }
}

/** Numbers, booleans and JSON as such; lists by commas; the rest as text. */
function parseValue(path: readonly string[], text: string): unknown {
  if (LISTS.has(path.join('.'))) return text.split(',').map((each) => each.trim());
  if (/^(-?\d+(\.\d+)?|true|false|[[{].*)$/s.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  return text;
}
