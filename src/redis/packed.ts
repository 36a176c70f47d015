/**
 * Arguments of a command that are written as Redis reads them while they are gathered: of thousands of texts in a call, each
 * is copied once, and none is an object of the client's. Source of the form: RESP, bulk strings.
 *
 * They are gathered in a room that may be used again when Redis has answered, and not before: until then the socket may
 * hold it.
 */
import { YoungCommand } from './young-command.ts';

const SMALLEST_BYTES = 256;
const [RETURN, NEWLINE, DOLLAR] = [0x0d, 0x0a, 0x24];
/** Of an argument, beside itself: `$`, its length, and two line ends. */
const FRAME_BYTES = 16;

/** So many arguments in a row. */
export class PackedArguments {
  count = 0;
  #room: Buffer;
  readonly #start: number;
  #length: number;

  /** `room`: where they are written while it lasts; what lies before `start` is left free (`behind`). */
  constructor(room: Buffer = Buffer.allocUnsafe(SMALLEST_BYTES), start = 0) {
    this.#room = room;
    this.#start = start;
    this.#length = start;
  }

  /** Where they are written; another one, if it did not last. */
  get room(): Buffer {
    return this.#room;
  }

  get bytes(): Buffer {
    return this.#room.subarray(this.#start, this.#length);
  }

  /** Both in one piece, without a copy of the arguments where there is space left in front of them. */
  behind(head: Buffer): Buffer {
    if (head.length > this.#start) return Buffer.concat([head, this.bytes]);
    const from = this.#start - head.length;
    head.copy(this.#room, from);
    return this.#room.subarray(from, this.#length);
  }

  add(text: string): void {
    const length = Buffer.byteLength(text);
    this.#begin(length);
    this.#room.write(text, this.#length);
    this.#end(length);
  }

  /** Of three pieces, one argument; the second from `start` to `end`, the third of `tailLength` bytes. */
  addPieces(head: Buffer, middle: Buffer, start: number, end: number, tail: Buffer, tailLength: number): void {
    const length = head.length + end - start + tailLength;
    this.#begin(length);
    const at = this.#length;
    head.copy(this.#room, at);
    middle.copy(this.#room, at + head.length, start, end);
    tail.copy(this.#room, at + head.length + end - start, 0, tailLength);
    this.#end(length);
  }

  #begin(length: number): void {
    this.#reserve(length + FRAME_BYTES);
    this.#room[this.#length++] = DOLLAR;
    this.#length = writeDigits(this.#room, this.#length, length);
    this.#endLine();
  }

  #end(length: number): void {
    this.#length += length;
    this.#endLine();
    this.count += 1;
  }

  #endLine(): void {
    this.#room[this.#length++] = RETURN;
    this.#room[this.#length++] = NEWLINE;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#room.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#room.length));
    this.#room.copy(grown, 0, 0, this.#length);
    this.#room = grown;
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
export class PackedCommand extends YoungCommand {
  readonly #bytes: Buffer;

  constructor(name: string, first: readonly (string | number)[], rest: readonly PackableArgument[]) {
    super(name, first, 'utf8');
    this.#bytes = written([name, ...first, ...rest]);
  }

  override toWritable(): Buffer {
    return this.#bytes;
  }
}

function written(parts: readonly PackableArgument[]): Buffer {
  const pieces: Buffer[] = [Buffer.from(`*${countOf(parts)}\r\n`)];
  let texts = new PackedArguments();
  for (const [i, part] of parts.entries()) {
    if (!(part instanceof PackedArguments)) {
      texts.add(String(part));
      continue;
    }
    pieces.push(texts.bytes);
    // Most commands end with what is large in them.
    if (i === parts.length - 1) return part.behind(Buffer.concat(pieces));
    pieces.push(part.bytes);
    texts = new PackedArguments();
  }
  return Buffer.concat([...pieces, texts.bytes]);
}

function countOf(parts: readonly PackableArgument[]): number {
  return parts.reduce<number>((sum, part) => sum + (part instanceof PackedArguments ? part.count : 1), 0);
}
