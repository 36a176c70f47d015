/**
 * The members of a JSON object as they are written: what is passed on keeps its text, because a number, an empty list or
 * an empty object is not what it was once it has been a value of another language. Pure.
 */
import { isAscii } from 'node:buffer';
import { Scanner } from './json-scanner.ts';

/** By name, in order; where a name comes twice, the last counts, as it does for every JSON reader here. */
export type Members = ReadonlyMap<string, string>;

export interface ObjectText {
  readonly text: string;
  readonly members: Members;
  /** What stands between the braces; not where a name comes twice. */
  readonly inner: string | undefined;
  /** How deep lists and objects are nested, the object itself included. */
  readonly depth: number;
  /**
   * May hold what not every language reads, or reads and cannot write again: half of a surrogate pair as an escape, a number
   * beyond a double's range.
   */
  readonly isSuspect: boolean;
}

const scanner = new Scanner();

/** `bytes` must be UTF-8. Undefined for what is no JSON, or no object. */
export function scanObject(bytes: Buffer): ObjectText | undefined {
  if (!scanner.scan(bytes)) return undefined;
  const { count, names, starts, ends, start, depth, isSuspect } = scanner;
  const text = bytes.toString();
  // Pieces of a text are cheaper than pieces of bytes, where each character is one.
  const isPlain = isAscii(bytes);
  const members = new Map<string, string>();
  let isRepetitive = false;
  for (let i = 0; i < count; i++) {
    const [name, from, to] = [names[i] as string, starts[i] as number, ends[i] as number];
    if (members.delete(name)) isRepetitive = true;
    members.set(name, isPlain ? text.slice(from, to) : bytes.toString('utf8', from, to));
  }
  // Before it there are only signs of one byte, and behind it only blanks.
  const inner = isRepetitive ? undefined : text.slice(start, text.lastIndexOf('}'));
  return { text, members, inner, depth, isSuspect };
}

/** `text` must be JSON, and an object: the caller has parsed it. */
export function objectText(text: string): ObjectText {
  const scanned = scanObject(Buffer.from(text));
  if (scanned === undefined) throw new TypeError('the text is no JSON object');
  return scanned;
}

export function textOf(members: Members): string {
  const parts: string[] = [];
  for (const [name, value] of members) parts.push(labelOf(name) + value);
  return `{${parts.join(',')}}`;
}

/** Jobs have the same fields over and over. */
const labels = new Map<string, string>();
const MOST_LABELS = 200;

/** `"name":` */
export function labelOf(name: string): string {
  const known = labels.get(name);
  if (known !== undefined) return known;
  const label = `${JSON.stringify(name)}:`;
  if (labels.size < MOST_LABELS) labels.set(name, label);
  return label;
}
