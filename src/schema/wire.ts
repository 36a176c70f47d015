/**
 * Reads protobuf's wire format from untrusted bytes: every length is checked, nothing is allocated on a claim, and
 * 64-bit integers are decimal text, never a double.
 * Source: protobuf.dev/programming-guides/encoding.
 */
import { isUtf8 } from 'node:buffer';
import { SluiceError } from '../errors.ts';

const MAX_DEPTH = 100;

export class WireReader {
  readonly #bytes: Buffer;
  #position: number;
  readonly #end: number;
  readonly #depth: number;
  /** High half of the last `varint`. */
  #high = 0;

  constructor(bytes: Buffer, depth = 0) {
    if (depth > MAX_DEPTH) throw malformed(`messages nested deeper than ${MAX_DEPTH}`);
    this.#bytes = bytes;
    this.#position = 0;
    this.#end = bytes.length;
    this.#depth = depth;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#end;
  }

  /** Field number and wire type: `tag >>> 3` and `tag & 7`. */
  tag(): number {
    const tag = this.#within32();
    if (tag >>> 3 === 0) throw malformed('a field number of 0');
    return tag;
  }

  /** A varint's low 32 bits, unsigned; what is above is dropped, as protobuf wants it. */
  uint32(): number {
    this.#varint();
    return this.#low >>> 0;
  }

  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  bool(): boolean {
    this.#varint();
    return this.#low !== 0 || this.#high !== 0;
  }

  uint64(): string {
    this.#varint();
    return unsignedText(this.#low, this.#high);
  }

  int64(): string {
    this.#varint();
    return signedText(this.#low, this.#high);
  }

  sint64(): string {
    this.#varint();
    const sign = -(this.#low & 1);
    const low = ((this.#low >>> 1) | (this.#high << 31)) ^ sign;
    return signedText(low, (this.#high >>> 1) ^ sign);
  }

  fixed32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  sfixed32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }

  fixed64(): string {
    const at = this.#take(8);
    return unsignedText(this.#bytes.readUInt32LE(at), this.#bytes.readUInt32LE(at + 4));
  }

  sfixed64(): string {
    const at = this.#take(8);
    return signedText(this.#bytes.readUInt32LE(at), this.#bytes.readUInt32LE(at + 4));
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#take(4));
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  /** A view of the bytes, not a copy. */
  bytes(): Buffer {
    const length = this.#within32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  string(): string {
    const length = this.#within32();
    const at = this.#take(length);
    const text = this.#bytes.toString('utf8', at, at + length);
    if (text.includes('\uFFFD') && !isUtf8(this.#bytes.subarray(at, at + length)))
      throw malformed('a string that is not UTF-8');
    return text;
  }

  /** For the body of a message within this one. */
  nested(bytes: Buffer): WireReader {
    return new WireReader(bytes, this.#depth + 1);
  }

  /** For packed elements and the entries of a map, which are no level of their own. */
  sameLevel(bytes: Buffer): WireReader {
    return new WireReader(bytes, this.#depth);
  }

  skip(tag: number, depth = 0): void {
    if (depth > MAX_DEPTH) throw malformed(`groups nested deeper than ${MAX_DEPTH}`);
    const wireType = tag & 7;
    if (wireType === 0) this.#varint();
    else if (wireType === 1) this.#take(8);
    else if (wireType === 2) this.#take(this.#within32());
    else if (wireType === 5) this.#take(4);
    else if (wireType === 3) this.#skipGroup(depth);
    else throw malformed(`wire type ${wireType}`);
  }

  #skipGroup(depth: number): void {
    for (let tag = this.tag(); (tag & 7) !== 4; tag = this.tag()) this.skip(tag, depth + 1);
  }

  /** Of lengths and tags nothing may be dropped. */
  #within32(): number {
    this.#varint();
    if (this.#high !== 0) throw malformed('a length or field number beyond 32 bits');
    return this.#low >>> 0;
  }

  #take(length: number): number {
    const at = this.#position;
    if (length > this.#end - at) throw malformed('the bytes end within a field');
    this.#position = at + length;
    return at;
  }

  #low = 0;

  /** Seven bits a byte, the lowest first, at most ten bytes. */
  #varint(): void {
    let byte = this.#next();
    if (byte < 0x80) {
      this.#low = byte;
      this.#high = 0;
      return;
    }
    let low = byte & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      byte = this.#next();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.#low = low;
        this.#high = 0;
        return;
      }
    }
    byte = this.#next();
    this.#low = low | ((byte & 0x7f) << 28);
    let high = (byte & 0x7f) >>> 4;
    for (let shift = 3; byte >= 0x80; shift += 7) {
      if (shift > 31) throw malformed('a number longer than ten bytes');
      byte = this.#next();
      high |= (byte & 0x7f) << shift;
    }
    this.#high = high;
  }

  #next(): number {
    if (this.#position >= this.#end) throw malformed('the bytes end within a field');
    return this.#bytes[this.#position++] as number;
  }
}

const TWO_32 = 4_294_967_296;
const SAFE_HIGH = 0x1fffff;

function unsignedText(low: number, high: number): string {
  const above = high >>> 0;
  if (above <= SAFE_HIGH) return String(above * TWO_32 + (low >>> 0));
  return ((BigInt(above) << 32n) | BigInt(low >>> 0)).toString();
}

function signedText(low: number, high: number): string {
  if ((high | 0) >= 0) return unsignedText(low, high);
  return BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)).toString();
}

export function malformed(what: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', `not a protobuf message: ${what}`);
}
