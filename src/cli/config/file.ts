/** The configuration file: found in the working folder or named, imported, and searched for the line of a key. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commonJsHint, failedLine } from '../../definition/failed-import.ts';
import { messageOf, SluiceError } from '../../errors.ts';
import { isTree, kindOf, type Path, type Tree } from './paths.ts';

const NAMES = ['sluice.config.ts', 'sluice.config.mts', 'sluice.config.js', 'sluice.config.mjs'];

export interface ConfigFile {
  /** Absolute. */
  readonly path: string;
  readonly folder: string;
  readonly value: Tree;
  /** `sluice.config.ts:12` for the key at a path, as near as the text tells. */
  place(path: Path): string;
}

/** Undefined when none was named and none is there. Throws CONFIG when it cannot be used. */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<ConfigFile | undefined> {
  const path = named === undefined ? findFile(cwd) : resolve(cwd, named);
  if (path === undefined) return undefined;
  if (!existsSync(path)) throw new SluiceError('CONFIG', `${path}: no such configuration file`);
  const value = await importDefault(path);
  if (!isTree(value)) {
    const problem = value === undefined ? 'has no default export' : `exports ${kindOf(value)} by default`;
    throw new SluiceError('CONFIG', `${path}:1: ${problem}; write: export default defineConfig({ ... })`);
  }
  return { path, folder: dirname(path), value, place: (keys) => `${basename(path)}${lineOf(path, keys)}` };
}

function findFile(cwd: string): string | undefined {
  const found = NAMES.filter((name) => existsSync(resolve(cwd, name)));
  if (found.length > 1) {
    throw new SluiceError('CONFIG', `${found.join(' and ')} are both there; keep one, or name one with --config`);
  }
  return found[0] === undefined ? undefined : resolve(cwd, found[0]);
}

async function importDefault(path: string): Promise<unknown> {
  try {
    const module: { default?: unknown } = await import(pathToFileURL(path).href);
    return module.default;
  } catch (error) {
    throw new SluiceError('CONFIG', `${placeOf(error, path)}: ${firstLine(messageOf(error))}${hint(error)}`, {
      cause: error,
    });
  }
}

function placeOf(error: unknown, path: string): string {
  const line = failedLine(path, error);
  return line === undefined ? path : `${path}:${line}`;
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0]?.trim() ?? '';
}

function hint(error: unknown): string {
  const code: unknown = Reflect.get(Object(error), 'code');
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') {
    return ' (Node only strips types: no enum, namespace or parameter property)';
  }
  if (code === 'ERR_MODULE_NOT_FOUND' && /'sluice'/.test(messageOf(error))) {
    return ' (install it beside the file: npm install sluice; or export a plain object)';
  }
  return commonJsHint(error);
}

/** `:line` of the last key of the path, each key searched after the one that it lies in. */
function lineOf(file: string, path: Path): string {
  const text = readFileSync(file, 'utf8');
  let at = 0;
  for (const key of path) {
    const literal = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    const found = new RegExp(`(?<![\\w$])['"\`]?${literal}['"\`]?\\s*[:,}(]`).exec(text.slice(at));
    if (found === null) break;
    at += found.index;
  }
  return at === 0 ? '' : `:${text.slice(0, at).split('\n').length}`;
}
