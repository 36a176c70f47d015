/**
 * Judges in one pass whether a text is a JSON object, and cuts it at its own members; what a value holds is passed over.
 * What is JSON here is JSON to `JSON.parse`, and the other way about. A value costs no object, a text is looked at once.
 * Source: RFC 8259. Pure, but for the names of the object before.
 */
import { isAscii } from 'node:buffer';
import type { ObjectText } from './json-members.ts';

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [MINUS, PLUS, POINT, ZERO, NINE] = [0x2d, 0x2b, 0x2e, 0x30, 0x39];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST] = [0x7b, 0x7d, 0x5b];
/** From the sign that opens to the one that closes. */
const TO_CLOSE = 2;
const [LETTER_U, BLANK] = [0x75, 0x20];
/** Behind the end. */
const NOTHING = -1;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const ESCAPES = [...Buffer.from('"\\/bfnrt')];
const HEX = /^[0-9a-fA-F]{4}$/;
const SURROGATE = /^[dD][89a-fA-F]/;
/** With an exponent of two digits, a number needs more than 200 others to be beyond a double. */
const MOST_EXPONENT_DIGITS = 2;
const MOST_DIGITS = 199;

/** The names of the object before, by their places. Jobs have the same ones over and over: a text that is known needs not be made. */
const usualNames: string[] = [];
const MOST_USUAL_NAMES = 32;
const LONGEST_USUAL_NAME = 64;

/** Without a stack: it is caught here. */
const NOT_JSON = new Error('not JSON');

/** `bytes` must be UTF-8. Undefined for what is no JSON, or no object. */
export function scanObject(bytes: Buffer): ObjectText | undefined {
  try {
    return new Scanner(bytes).object();
  } catch (error) {
    if (error === NOT_JSON) return undefined;
    throw error;
  }
}

/** Each step begins at what it is about, and ends behind it. */
class Scanner {
  #at = 0;
  #depth = 0;
  #isSuspect = false;
  #isRepetitive = false;
  readonly #bytes: Buffer;
  /** Of bytes that are one character each; pieces of it are cheaper than pieces of bytes. */
  readonly #text: string | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#text = isAscii(bytes) ? bytes.toString('latin1') : undefined;
  }

  object(): ObjectText {
    const members = new Map<string, string>();
    this.#blanks();
    this.#sign(OPEN_OBJECT);
    this.#blanks();
    const start = this.#at;
    if (this.#bytes[this.#at] !== CLOSE_OBJECT) this.#members(members);
    this.#sign(CLOSE_OBJECT);
    this.#blanks();
    if (this.#at !== this.#bytes.length) throw NOT_JSON;
    const text = this.#text ?? this.#bytes.toString();
    // Before it there are only signs of one byte, and behind it only blanks.
    const inner = this.#isRepetitive ? undefined : text.slice(start, text.lastIndexOf('}'));
    return { text, members, inner, depth: this.#depth + 1, isSuspect: this.#isSuspect };
  }

  #members(members: Map<string, string>): void {
    for (let i = 0; ; i++) {
      const name = this.#expectedName(i) ?? this.#name(i);
      const start = this.#at;
      this.#value();
      if (members.delete(name)) this.#isRepetitive = true;
      members.set(name, this.#cut(start, this.#at));
      this.#blanks();
      if (this.#bytes[this.#at] !== COMMA) return;
      this.#at += 1;
      this.#blanks();
    }
  }

  /** The name that the object before had here, if this one has it too, with the colon. */
  #expectedName(i: number): string | undefined {
    const name = usualNames[i];
    const end = this.#at + (name?.length ?? 0) + 1;
    if (name === undefined || this.#bytes[end] !== QUOTE || !this.#text?.startsWith(name, this.#at + 1))
      return undefined;
    if (this.#bytes[this.#at] !== QUOTE) throw NOT_JSON;
    this.#at = end + 1;
    this.#colon();
    return name;
  }

  /** With the colon, up to the value. */
  #name(i: number): string {
    const start = this.#at + 1;
    const end = this.#label() - 1;
    const inner = this.#cut(start, end);
    if (inner.includes('\\')) return JSON.parse(`"${inner}"`) as string;
    // A piece of a text keeps all of it.
    if (i < MOST_USUAL_NAMES && inner.length <= LONGEST_USUAL_NAME) usualNames[i] = Buffer.from(inner).toString();
    return inner;
  }

  /** As `#name`; answers where the name's string ends. */
  #label(): number {
    if (this.#bytes[this.#at] !== QUOTE) throw NOT_JSON;
    this.#string();
    const end = this.#at;
    this.#colon();
    return end;
  }

  #colon(): void {
    this.#blanks();
    this.#sign(COLON);
    this.#blanks();
  }

  /** Without recursion: anybody may nest as deep as a record is long. */
  #value(): void {
    const first = this.#bytes[this.#at];
    if (first !== OPEN_LIST && first !== OPEN_OBJECT) {
      this.#scalar(first);
      return;
    }
    const closing: number[] = [];
    for (;;) {
      if (this.#opens(closing)) continue;
      for (;;) {
        if (closing.length === 0) return;
        this.#blanks();
        const sign = this.#bytes[this.#at];
        this.#at += 1;
        if (sign === COMMA) break;
        if (sign !== closing.pop()) throw NOT_JSON;
      }
      this.#blanks();
      if (closing.at(-1) === CLOSE_OBJECT) this.#label();
    }
  }

  /** Passes a value; of a list or an object that is not empty, as far as its first value, and answers true. */
  #opens(closing: number[]): boolean {
    const sign = this.#bytes[this.#at];
    if (sign === OPEN_LIST || sign === OPEN_OBJECT) return this.#container(sign, closing);
    this.#scalar(sign);
    return false;
  }

  #scalar(sign = NOTHING): void {
    if (sign === QUOTE) this.#string();
    else if (sign === MINUS || isDigit(sign)) this.#number(sign);
    else this.#literal();
  }

  #container(sign: number, closing: number[]): boolean {
    this.#at += 1;
    this.#blanks();
    this.#depth = Math.max(this.#depth, closing.length + 1);
    if (this.#bytes[this.#at] === sign + TO_CLOSE) {
      this.#at += 1;
      return false;
    }
    closing.push(sign + TO_CLOSE);
    if (sign === OPEN_OBJECT) this.#label();
    return true;
  }

  #string(): void {
    const bytes = this.#bytes;
    const { length } = bytes;
    for (let at = this.#at + 1; at < length; at++) {
      const sign = bytes[at] as number;
      if (sign === QUOTE) {
        this.#at = at + 1;
        return;
      }
      if (sign === BACKSLASH) at = this.#escape(at + 1) - 1;
      else if (sign < BLANK) throw NOT_JSON;
    }
    throw NOT_JSON;
  }

  #escape(at: number): number {
    const letter = this.#bytes[at] ?? NOTHING;
    if (letter !== LETTER_U) {
      if (!ESCAPES.includes(letter)) throw NOT_JSON;
      return at + 1;
    }
    const digits = this.#cut(at + 1, at + 5);
    if (!HEX.test(digits)) throw NOT_JSON;
    if (SURROGATE.test(digits)) this.#isSuspect = true;
    return at + 5;
  }

  #number(first: number): void {
    if (first === MINUS) this.#at += 1;
    const start = this.#at;
    if (this.#bytes[start] === ZERO) this.#at += 1;
    else this.#digits();
    if (this.#bytes[this.#at] === POINT) {
      this.#at += 1;
      this.#digits();
    }
    if (this.#at - start > MOST_DIGITS) this.#isSuspect = true;
    const sign = this.#bytes[this.#at];
    if (sign === 0x65 || sign === 0x45) this.#exponent();
  }

  #exponent(): void {
    this.#at += 1;
    const sign = this.#bytes[this.#at];
    if (sign === PLUS || sign === MINUS) this.#at += 1;
    const start = this.#at;
    this.#digits();
    if (sign !== MINUS && this.#at - start > MOST_EXPONENT_DIGITS) this.#isSuspect = true;
  }

  #digits(): void {
    const start = this.#at;
    while (isDigit(this.#bytes[this.#at])) this.#at += 1;
    if (this.#at === start) throw NOT_JSON;
  }

  #literal(): void {
    const first = this.#bytes[this.#at];
    const literal = first === TRUE[0] ? TRUE : first === FALSE[0] ? FALSE : NULL;
    for (let i = 0; i < literal.length; i++) if (this.#bytes[this.#at + i] !== literal[i]) throw NOT_JSON;
    this.#at += literal.length;
  }

  #cut(start: number, end: number): string {
    return this.#text === undefined ? this.#bytes.toString('utf8', start, end) : this.#text.slice(start, end);
  }

  #sign(sign: number): void {
    if (this.#bytes[this.#at] !== sign) throw NOT_JSON;
    this.#at += 1;
  }

  #blanks(): void {
    while (isBlank(this.#bytes[this.#at])) this.#at += 1;
  }
}

function isDigit(sign = NOTHING): boolean {
  return sign >= ZERO && sign <= NINE;
}

/** JSON knows no others. */
function isBlank(code: number | undefined): boolean {
  return code === BLANK || code === 0x0a || code === 0x0d || code === 0x09;
}
