/**
 * What stands behind the members of a Sidekiq job that keeps them (sidekiq-kept.ts): our own field, as `stampedText` writes
 * it, and what ends the job. In bytes, the same place for every job: what they have in common is written once.
 */
import { ABOUT } from './sidekiq-job.ts';

const [QUOTE, BACKSLASH, BLANK, LAST_ASCII] = [0x22, 0x5c, 0x20, 0x7f];
const QUOTE_BYTES = Buffer.from('"');
const KEY = Buffer.from(',"key":"');
const HEADERS = Buffer.from(',"headers":');
const END = Buffer.from('}}');
const LONGEST_KEY = 256;
const MOST_HEADERS = 1_024;
/** The offset and the signs between. */
const LONGEST_REST = 64;
const LONGEST_TAIL = LONGEST_KEY + MOST_HEADERS + LONGEST_REST;

export class KeptTail {
  readonly bytes: Buffer;
  length = 0;
  readonly #prefixLength: number;

  /** `idPrefix`: of the partition's jobs, that of the consumer group included. */
  constructor(idPrefix: string, isTracked: boolean) {
    const prefix = Buffer.from(`,"${ABOUT}":{"${isTracked ? 'source' : 'from'}":"${idPrefix}`);
    this.#prefixLength = prefix.length;
    this.bytes = Buffer.allocUnsafe(prefix.length + LONGEST_TAIL);
    prefix.copy(this.bytes);
  }

  /** Answers false for what is seldom: a key that JSON writes otherwise, or much of either. Then it is unfinished. */
  make(offset: number, key: Buffer | null, headers: Readonly<Record<string, string>>): boolean {
    this.length = this.#prefixLength;
    const digits = String(offset);
    for (let i = 0; i < digits.length; i++) this.bytes[this.length++] = digits.charCodeAt(i);
    this.#add(QUOTE_BYTES);
    if (key !== null && key.length > 0 && !this.#addKey(key)) return false;
    for (const _ in headers) {
      if (!this.#addHeaders(headers)) return false;
      break;
    }
    this.#add(END);
    return true;
  }

  #addKey(key: Buffer): boolean {
    if (key.length > LONGEST_KEY) return false;
    this.#add(KEY);
    for (let i = 0; i < key.length; i++) {
      const sign = key[i] as number;
      if (sign === QUOTE || sign === BACKSLASH || sign < BLANK || sign > LAST_ASCII) return false;
      this.bytes[this.length++] = sign;
    }
    this.#add(QUOTE_BYTES);
    return true;
  }

  #addHeaders(headers: Readonly<Record<string, string>>): boolean {
    const text = JSON.stringify(headers);
    if (Buffer.byteLength(text) > MOST_HEADERS) return false;
    this.#add(HEADERS);
    this.length += this.bytes.write(text, this.length);
    return true;
  }

  /** A few signs, for which a loop is cheaper than a call. */
  #add(signs: Buffer): void {
    for (let i = 0; i < signs.length; i++) this.bytes[this.length++] = signs[i] as number;
  }
}
