/**
 * The finished ranges in a commit's metadata, `sluice1;<generation>;<fingerprint>;<reached>;<finished>;<crc>`, read
 * without the bridge's own code: one may be wrong, not both alike. Text that is not Sluice's lists none.
 */

/** From the first to before the second. */
export type Span = readonly [start: number, end: number];

const METADATA = /^sluice1;\d+;[0-9a-f]+;-?\d+;([rb])([A-Za-z0-9_-]+);[0-9a-f]{8}$/;

/** `committed`: the offset that the metadata stands beside. */
export function finishedAbove(committed: number, metadata: string): Span[] {
  const [, kind, text = ''] = METADATA.exec(metadata) ?? [];
  if (kind === undefined) return [];
  const bytes = Buffer.from(text, 'base64url');
  return kind === 'r' ? fromPairs(committed, bytes) : fromBitmap(committed, bytes);
}

/** Distances and lengths by turns, each less 1, in groups of seven bits, the lowest first. */
function fromPairs(committed: number, bytes: Buffer): Span[] {
  const numbers: number[] = [];
  let [value, factor] = [0, 1];
  for (const byte of bytes) {
    value += (byte & 127) * factor;
    factor *= 128;
    if (byte > 127) continue;
    numbers.push(value);
    [value, factor] = [0, 1];
  }
  const spans: Span[] = [];
  let at = committed;
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const start = at + 1 + (numbers[i] ?? 0);
    at = start + 1 + (numbers[i + 1] ?? 0);
    spans.push([start, at]);
  }
  return spans;
}

/** The lowest bit of the first byte is the offset above the committed one. */
function fromBitmap(committed: number, bytes: Buffer): Span[] {
  const offsets = [...bytes].flatMap((byte, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => committed + 1 + i * 8 + bit),
  );
  return offsets.map((offset) => [offset, offset + 1]);
}
