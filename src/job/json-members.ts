/**
 * The members of a JSON object as they are written: what is passed on keeps its text, because a number, an empty list or
 * an empty object is not what it was once it has been a value of another language. Pure.
 */

/** By name, in order; where a name comes twice, the last counts, as it does for every JSON reader here. */
export type Members = ReadonlyMap<string, string>;

export interface ObjectText {
  readonly members: Members;
  /** How deep lists and objects are nested, the object itself included. */
  readonly depth: number;
}

/** `text` must be JSON, and an object: the caller has parsed it. */
export function objectText(text: string): ObjectText {
  const members = new Map<string, string>();
  let depth = 0;
  let at = text.indexOf('{') + 1;
  for (;;) {
    at = skipBlanks(text, at);
    if (text[at] === ',') at = skipBlanks(text, at + 1);
    if (text[at] === '}') return { members, depth: depth + 1 };
    const nameEnd = stringEnd(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    const start = skipBlanks(text, skipBlanks(text, nameEnd) + 1);
    const value = valueEnd(text, start);
    depth = Math.max(depth, value.depth);
    members.delete(name);
    members.set(name, text.slice(start, value.end));
    at = value.end;
  }
}

export function textOf(members: Members): string {
  const parts: string[] = [];
  for (const [name, value] of members) parts.push(`${JSON.stringify(name)}:${value}`);
  return `{${parts.join(',')}}`;
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at++;
  return at;
}

/** JSON knows no others. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** `from` is at the opening quote. */
function stringEnd(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

function valueEnd(text: string, from: number): { end: number; depth: number } {
  let [at, open, depth] = [from, 0, 0];
  for (;;) {
    const sign = text[at];
    if (sign === '"') at = stringEnd(text, at);
    else if (sign === '{' || sign === '[') {
      at++;
      open++;
      depth = Math.max(depth, open);
    } else if (open > 0 && (sign === '}' || sign === ']')) {
      at++;
      open--;
    } else if (open > 0) at++;
    else return { end: scalarEnd(text, at), depth };
    if (open === 0) return { end: at, depth };
  }
}

/** A number, true, false or null. */
function scalarEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && !isBlank(text.charCodeAt(at)) && text[at] !== ',' && text[at] !== '}') at++;
  return at;
}
