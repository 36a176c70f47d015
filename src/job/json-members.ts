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

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];

/** `text` must be JSON, and an object: the caller has parsed it. */
export function objectText(text: string): ObjectText {
  const walk = new Walk(text);
  const members = new Map<string, string>();
  while (walk.hasMember()) {
    const name = walk.name();
    const value = walk.value();
    members.delete(name);
    members.set(name, value);
  }
  return { members, depth: walk.depth + 1 };
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

/** From member to member, the object's own; what a value holds is passed over. */
class Walk {
  /** How deep the values so far are nested. */
  depth = 0;
  readonly #text: string;
  #at: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.indexOf('{') + 1;
  }

  /** Stands at the member's name then. */
  hasMember(): boolean {
    this.#skipBlanks();
    if (this.#text.charCodeAt(this.#at) === COMMA) {
      this.#at += 1;
      this.#skipBlanks();
    }
    return this.#text.charCodeAt(this.#at) !== CLOSE_OBJECT;
  }

  name(): string {
    const start = this.#at;
    this.#skipString();
    const inner = this.#text.slice(start + 1, this.#at - 1);
    this.#skipBlanks();
    this.#at += 1;
    return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner;
  }

  value(): string {
    this.#skipBlanks();
    const start = this.#at;
    this.#skipValue();
    return this.#text.slice(start, this.#at);
  }

  #skipValue(): void {
    let open = 0;
    do {
      const sign = this.#text.charCodeAt(this.#at);
      if (sign === QUOTE) this.#skipString();
      else if (sign === OPEN_OBJECT || sign === OPEN_LIST) {
        this.#at += 1;
        open += 1;
        if (open > this.depth) this.depth = open;
      } else if (open === 0) this.#skipScalar();
      else {
        this.#at += 1;
        if (sign === CLOSE_OBJECT || sign === CLOSE_LIST) open -= 1;
      }
    } while (open > 0);
  }

  /** A number, true, false or null. */
  #skipScalar(): void {
    for (;;) {
      const sign = this.#text.charCodeAt(this.#at);
      if (isBlank(sign) || sign === COMMA || sign === CLOSE_OBJECT || Number.isNaN(sign)) return;
      this.#at += 1;
    }
  }

  /** From its opening quote to behind its closing one. */
  #skipString(): void {
    let end = this.#text.indexOf('"', this.#at + 1);
    while (this.#isEscaped(end)) end = this.#text.indexOf('"', end + 1);
    this.#at = end + 1;
  }

  #isEscaped(at: number): boolean {
    let backslashes = 0;
    while (this.#text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
    return backslashes % 2 === 1;
  }

  #skipBlanks(): void {
    while (isBlank(this.#text.charCodeAt(this.#at))) this.#at += 1;
  }
}

/** JSON knows no others. */
function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
