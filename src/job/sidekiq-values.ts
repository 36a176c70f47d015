/**
 * A value of JavaScript as JSON text that Ruby reads back as the same: what JSON.stringify would drop or change without
 * a word is an error that names its path, its kind and what is allowed. Pure.
 */
import { SluiceError } from '../errors.ts';
import { DEEPEST } from './sidekiq-job.ts';

const ALLOWED =
  'text, a finite number, a bigint, true, false, null, JSON.rawJSON, and lists and plain objects of these';

/** JSON.rawJSON of Node 22, which TypeScript does not know yet. */
const { isRawJSON } = JSON as typeof JSON & { isRawJSON(value: unknown): value is { readonly rawJSON: string } };

/** `path` names the value in errors; `level` is how deep it lies. */
export function valueText(value: unknown, path: string, level = 0): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value === 'string' && value.isWellFormed()) return JSON.stringify(value);
  if (isRawJSON(value)) return value.rawJSON;
  if (level > DEEPEST) throw refused(path, `a nesting of more than ${DEEPEST} levels`);
  if (Array.isArray(value)) {
    // Not `map`, which passes holes over.
    return `[${Array.from(value, (each, i) => valueText(each, `${path}[${i}]`, level + 1)).join(',')}]`;
  }
  if (isPlainObject(value)) return objectText(value, path, level);
  throw refused(path, kindOf(value));
}

function objectText(value: object, path: string, level: number): string {
  if (Object.getOwnPropertySymbols(value).length > 0) throw refused(path, 'a member that is named by a symbol');
  const members = Object.entries(value).map(([name, each]) => {
    if (!name.isWellFormed()) throw refused(path, 'a member whose name holds half a surrogate pair');
    return `${JSON.stringify(name)}:${valueText(each, `${path}.${name}`, level + 1)}`;
  });
  return `{${members.join(',')}}`;
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'string') return 'text with half a surrogate pair';
  if (typeof value === 'object') return `an object of ${value?.constructor?.name || 'a class'}`;
  return `a ${typeof value}`;
}

function refused(path: string, what: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', `${path}: ${what} is not allowed; allowed: ${ALLOWED}`);
}
