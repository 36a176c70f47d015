/** Places in the configuration: a path of keys, how it is written, and the tree that it leads through. */

export type Path = readonly string[];
export interface Tree {
  [key: string]: unknown;
}

/** `topics["acme.orders"].record`. */
export function written(path: Path): string {
  return path
    .map((key, index) => (/^[A-Za-z_]\w*$/.test(key) ? `${index > 0 ? '.' : ''}${key}` : `[${JSON.stringify(key)}]`))
    .join('');
}

export function isTree(value: unknown): value is Tree {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** The leaves below a value: everything that is no plain object, and empty objects. Undefined ones are left out. */
export function leaves(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
  if (value === undefined) return [];
  if (!isTree(value) || (Object.keys(value).length === 0 && path.length > 0)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, each]) => leaves(each, [...path, key]));
}

export function valueAt(tree: unknown, path: Path): unknown {
  let value = tree;
  for (const key of path) value = isTree(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

/** "a number", "null", "an array": what a value is, without what it says. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
