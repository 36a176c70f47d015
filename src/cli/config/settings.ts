/** Where each value comes from: settings, later ones over earlier ones, made into one tree that remembers. */
import { isTree, leaves, type Path, type Tree } from './paths.ts';

export interface Setting {
  readonly path: Path;
  readonly value: unknown;
  /** `--brokers`, `KAFKA_BROKERS`, or the configuration file. */
  readonly source: string;
}

export function settingsOf(value: unknown, source: string): Setting[] {
  return leaves(value).map((leaf) => ({ ...leaf, source }));
}

export interface Layered {
  readonly tree: Tree;
  /** The source of the value at a path, or of what it lies in, or undefined for a default. */
  sourceOf(path: Path): string | undefined;
}

/** Later settings win. Objects are merged key by key; everything else is replaced whole. */
export function layer(settings: readonly Setting[]): Layered {
  const tree: Tree = {};
  const sources = new Map<string, string>();
  for (const { path, value, source } of settings) {
    put(tree, path, value);
    for (const known of sources.keys()) {
      if (isBelow(known, keyOf(path))) sources.delete(known);
    }
    sources.set(keyOf(path), source);
  }
  return { tree, sourceOf: (path) => nearest(sources, path) };
}

function put(tree: Tree, path: Path, value: unknown): void {
  let at = tree;
  for (const key of path.slice(0, -1)) {
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    at = isTree(next) ? next : own(at, key, {});
  }
  const last = path.at(-1) as string;
  const present = Object.hasOwn(at, last) ? at[last] : undefined;
  // An empty object adds nothing to one that is there already.
  if (!(isTree(present) && isTree(value))) own(at, last, isTree(value) ? {} : value);
}

/** Sets an own property, `__proto__` included. */
function own<T>(tree: Tree, key: string, value: T): T {
  Object.defineProperty(tree, key, { value, enumerable: true, configurable: true, writable: true });
  return value;
}

function nearest(sources: ReadonlyMap<string, string>, path: Path): string | undefined {
  for (let length = path.length; length > 0; length--) {
    const found = sources.get(keyOf(path.slice(0, length)));
    if (found !== undefined) return found;
  }
  return [...sources].find(([key]) => isBelow(key, keyOf(path)))?.[1];
}

function keyOf(path: Path): string {
  return path.join('\0');
}

function isBelow(key: string, above: string): boolean {
  return above !== '' && key.startsWith(`${above}\0`);
}
