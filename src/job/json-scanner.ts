/**
 * Judges in one pass whether a text is a JSON object, and cuts it at its own members; what a value holds is passed over.
 * What is JSON here is JSON to `JSON.parse`, and the other way about. A value costs no object, a byte is looked at once.
 * Source: RFC 8259. Pure, but for the names of the object before.
 */
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

const MOST_USUAL_NAMES = 32;
const LONGEST_USUAL_NAME = 64;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** Without a stack: it is caught here. */
const NOT_JSON = new Error('not JSON');

/**
 * What it has found stays until the next scan: where members stand, in order, and how they are named. Each step begins at what
 * it is about, and ends behind it.
 */
export class Scanner {
  /** Members, those included whose name comes again. */
  count = 0;
  readonly names: string[] = [];
  /** Of the members' values. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** What stands between the braces, but for blanks in front of it. */
  start = 0;
  end = 0;
  /** See `ObjectText` in json-members.ts. */
  depth = 0;
  isSuspect = false;
  /**
   * The names of the object before, by their places. Jobs have the same ones over and over: a text that is known needs not be
   * made, and is the same one.
   */
  readonly #usual: { readonly name: string; readonly bytes: Buffer }[] = [];
  #at = 0;
  #bytes = NO_BYTES;

  /** `bytes` must be UTF-8. Whether they are JSON, and an object. */
  scan(bytes: Buffer): boolean {
    this.#bytes = bytes;
    this.#at = 0;
    this.count = 0;
    this.depth = 1;
    this.isSuspect = false;
    try {
      this.#object();
      return true;
    } catch (error) {
      if (error === NOT_JSON) return false;
      throw error;
    } finally {
      // They may be a piece of all that was fetched.
      this.#bytes = NO_BYTES;
    }
  }

  #object(): void {
    this.#blanks();
    this.#sign(OPEN_OBJECT);
    this.#blanks();
    this.start = this.#at;
    if (this.#bytes[this.#at] !== CLOSE_OBJECT) this.#members();
    this.end = this.#at;
    this.#sign(CLOSE_OBJECT);
    this.#blanks();
    if (this.#at !== this.#bytes.length) throw NOT_JSON;
  }

  #members(): void {
    for (let i = 0; ; i++) {
      this.names[i] = this.#expectedName(i) ?? this.#name(i);
      this.starts[i] = this.#at;
      this.#value();
      this.ends[i] = this.#at;
      this.count = i + 1;
      this.#blanks();
      if (this.#bytes[this.#at] !== COMMA) return;
      this.#at += 1;
      this.#blanks();
    }
  }

  /** The name that the object before had here, if this one has it too, with the colon. */
  #expectedName(i: number): string | undefined {
    const usual = this.#usual[i];
    if (usual === undefined || this.#bytes[this.#at] !== QUOTE) return undefined;
    const end = this.#at + 1 + usual.bytes.length;
    if (this.#bytes[end] !== QUOTE || !isAt(this.#bytes, this.#at + 1, usual.bytes)) return undefined;
    this.#at = end + 1;
    this.#colon();
    return usual.name;
  }

  /** With the colon, up to the value. */
  #name(i: number): string {
    const start = this.#at + 1;
    const bytes = this.#bytes.subarray(start, this.#label() - 1);
    const inner = bytes.toString();
    if (inner.includes('\\')) return JSON.parse(`"${inner}"`) as string;
    // A piece of bytes keeps all of them.
    if (i < MOST_USUAL_NAMES && bytes.length <= LONGEST_USUAL_NAME)
      this.#usual[i] = { name: inner, bytes: Buffer.from(bytes) };
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
    this.depth = Math.max(this.depth, closing.length + 2);
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
    const digits = this.#bytes.toString('latin1', at + 1, at + 5);
    if (!HEX.test(digits)) throw NOT_JSON;
    if (SURROGATE.test(digits)) this.isSuspect = true;
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
    if (this.#at - start > MOST_DIGITS) this.isSuspect = true;
    const sign = this.#bytes[this.#at];
    if (sign === 0x65 || sign === 0x45) this.#exponent();
  }

  #exponent(): void {
    this.#at += 1;
    const sign = this.#bytes[this.#at];
    if (sign === PLUS || sign === MINUS) this.#at += 1;
    const start = this.#at;
    this.#digits();
    if (sign !== MINUS && this.#at - start > MOST_EXPONENT_DIGITS) this.isSuspect = true;
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

  #sign(sign: number): void {
    if (this.#bytes[this.#at] !== sign) throw NOT_JSON;
    this.#at += 1;
  }

  #blanks(): void {
    while (isBlank(this.#bytes[this.#at])) this.#at += 1;
  }
}

/** Whether the bytes hold the expected ones at this place. */
export function isAt(bytes: Buffer, at: number, expected: Buffer): boolean {
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

export function isDigit(sign = NOTHING): boolean {
  return sign >= ZERO && sign <= NINE;
}

/** JSON knows no others. */
function isBlank(code: number | undefined): boolean {
  return code === BLANK || code === 0x0a || code === 0x0d || code === 0x09;
}
