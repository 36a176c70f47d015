/**
 * Arguments of a command that are written as Redis reads them while they are gathered: of thousands of texts in a call, each
 * is copied once, and none is an object of the client's. Source of the form: RESP, bulk strings.
 */
import { Command } from 'ioredis';

const SMALLEST_BYTES = 4_096;
const [RETURN, NEWLINE] = [0x0d, 0x0a];
const DOLLAR = 0x24;
/** Of an argument, beside itself: `$`, its length, and two line ends. */
const FRAME_BYTES = 16;

/** So many arguments in a row. */
export class PackedArguments {
  count = 0;
  #bytes: Buffer;
  #length = 0;

  /** `bytes`: about as many as will be needed. */
  constructor(bytes = SMALLEST_BYTES) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  add(text: string): void {
    const length = Buffer.byteLength(text);
    this.#begin(length);
    this.#bytes.write(text, this.#length);
    this.#end(length);
  }

  /** Of three pieces, one argument; the second from `start` to `end`, the third of `tailLength` bytes. */
  addPieces(head: Buffer, middle: Buffer, start: number, end: number, tail: Buffer, tailLength: number): void {
    const length = head.length + end - start + tailLength;
    this.#begin(length);
    const at = this.#length;
    head.copy(this.#bytes, at);
    middle.copy(this.#bytes, at + head.length, start, end);
    tail.copy(this.#bytes, at + head.length + end - start, 0, tailLength);
    this.#end(length);
  }

  #begin(length: number): void {
    this.#reserve(length + FRAME_BYTES);
    this.#bytes[this.#length++] = DOLLAR;
    this.#length = writeDigits(this.#bytes, this.#length, length);
    this.#endLine();
  }

  #end(length: number): void {
    this.#length += length;
    this.#endLine();
    this.count += 1;
  }

  #endLine(): void {
    this.#bytes[this.#length++] = RETURN;
    this.#bytes[this.#length++] = NEWLINE;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

const ZERO = 0x30;

/** A whole number from 0 on; answers where it ends. */
function writeDigits(bytes: Buffer, at: number, value: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end += 1;
  for (let place = end - 1, rest = value; place >= at; place--, rest = Math.floor(rest / 10)) {
    bytes[place] = ZERO + (rest % 10);
  }
  return end;
}

export type PackableArgument = string | number | PackedArguments;

/** A command whose arguments are packed: the client sees the first of them only, and writes all. */
export class PackedCommand extends Command {
  readonly #bytes: Buffer;

  constructor(name: string, first: readonly (string | number)[], rest: readonly PackableArgument[]) {
    super(name, [...first], { replyEncoding: 'utf8' });
    this.#bytes = written([name, ...first, ...rest]);
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

function written(parts: readonly PackableArgument[]): Buffer {
  let count = 0;
  let own = new PackedArguments();
  const pieces: Buffer[] = [];
  for (const part of parts) {
    if (part instanceof PackedArguments) {
      count += part.count;
      pieces.push(own.bytes, part.bytes);
      own = new PackedArguments();
    } else {
      count += 1;
      own.add(String(part));
    }
  }
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...pieces, own.bytes]);
}
