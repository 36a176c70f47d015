/**
 * The finished offsets above a committed one as text: the smaller of gap and length pairs (`r`) and a bitmap (`b`),
 * both base64url. What does not fit is cut from the top: a record that is not listed runs again after a loss of
 * Redis, one that is listed never does. Reading is bounded by the text's length, whatever its bytes.
 */
import type { Range } from './range-set.ts';

const WIDEST_VARINT_BYTES = 8;

interface Packed {
  readonly bytes: Uint8Array;
  /** The offsets that the bytes tell of. */
  readonly told: number;
}

/** `ranges` in order, not touching, all above `committed`. Takes at most `maxChars` characters. */
export function encodeFinished(committed: number, ranges: readonly Range[], maxChars: number): string {
  const maxBytes = Math.floor(((maxChars - 1) * 3) / 4);
  if (ranges.length === 0 || maxBytes <= 0) return '';
  const pairs = packPairs(committed, ranges, maxBytes);
  const bitmap = packBitmap(committed, ranges, maxBytes);
  const isBitmap = bitmap.told > pairs.told || (bitmap.told === pairs.told && bitmap.bytes.length < pairs.bytes.length);
  const { bytes, told } = isBitmap ? bitmap : pairs;
  return told === 0 ? '' : `${isBitmap ? 'b' : 'r'}${Buffer.from(bytes).toString('base64url')}`;
}

/** The ranges of a text, in order; undefined for one that `encodeFinished` does not write. */
export function decodeFinished(committed: number, text: string): Range[] | undefined {
  if (text === '') return [];
  if (!/^[rb][A-Za-z0-9_-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(1), 'base64url');
  return text[0] === 'r' ? unpackPairs(committed, bytes) : unpackBitmap(committed, bytes);
}

/** Each range as its distance from the one before, then its length; both are at least 1, and written less 1. */
function packPairs(committed: number, ranges: readonly Range[], maxBytes: number): Packed {
  const bytes: number[] = [];
  let [from, told] = [committed, 0];
  for (const { start, end } of ranges) {
    const pair = [...varint(start - from - 1), ...varint(end - start - 1)];
    if (bytes.length + pair.length > maxBytes) break;
    bytes.push(...pair);
    told += end - start;
    from = end;
  }
  return { bytes: Uint8Array.from(bytes), told };
}

function unpackPairs(committed: number, bytes: Uint8Array): Range[] | undefined {
  const numbers = varints(bytes);
  if (numbers === undefined || numbers.length % 2 !== 0) return undefined;
  const ranges: Range[] = [];
  let from = committed;
  for (let i = 0; i < numbers.length; i += 2) {
    const start = from + (numbers[i] as number) + 1;
    const end = start + (numbers[i + 1] as number) + 1;
    if (!Number.isSafeInteger(end)) return undefined;
    ranges.push({ start, end });
    from = end;
  }
  return ranges;
}

/** Bit n stands for the offset `committed + 1 + n`, the lowest bit of a byte first. */
function packBitmap(committed: number, ranges: readonly Range[], maxBytes: number): Packed {
  const base = committed + 1;
  const top = (ranges.at(-1) as Range).end - base;
  const bits = Math.min(top, maxBytes * 8);
  const bytes = new Uint8Array(Math.ceil(bits / 8));
  let told = 0;
  for (const { start, end } of ranges) {
    for (let bit = start - base; bit < Math.min(end - base, bits); bit++) {
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) | (1 << (bit & 7));
      told += 1;
    }
  }
  return { bytes, told };
}

function unpackBitmap(committed: number, bytes: Uint8Array): Range[] {
  const ranges: Range[] = [];
  const base = committed + 1;
  let start = -1;
  for (let bit = 0; bit <= bytes.length * 8; bit++) {
    const isSet = (((bytes[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 1;
    if (isSet && start < 0) start = bit;
    if (isSet || start < 0) continue;
    ranges.push({ start: base + start, end: base + bit });
    start = -1;
  }
  return ranges;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return [...bytes, rest];
}

/** Undefined when the last one is cut or one is wider than an offset can be. */
function varints(bytes: Uint8Array): number[] | undefined {
  const numbers: number[] = [];
  let [value, width] = [0, 0];
  for (const byte of bytes) {
    if (width === WIDEST_VARINT_BYTES) return undefined;
    value += (byte % 128) * 128 ** width;
    width += 1;
    if (byte >= 128) continue;
    numbers.push(value);
    [value, width] = [0, 0];
  }
  return width === 0 ? numbers : undefined;
}
