import { describe, expect, it } from 'vitest';
import { decodeFinished, encodeFinished } from '../../src/bridge/finished.ts';
import { type Range, RangeSet } from '../../src/bridge/range-set.ts';
import { createRandom } from '../../src/faults/random.ts';

const ROOM = 3_950;

/** Ranges above `committed` as a day's work leaves them: long runs, or every job on its own. */
function history(random: () => number, committed: number, spread: number): readonly Range[] {
  const set = new RangeSet();
  let at = committed + 1;
  for (let i = Math.floor(random() * 3_000); i > 0; i--) {
    at += Math.floor(random() * spread) + (random() < 0.01 ? 100_000 : 0);
    const end = at + 1 + Math.floor(random() ** 4 * spread * 4);
    set.add(at, end);
    at = end + 1;
  }
  return set.ranges;
}

describe('finished offsets as text', () => {
  it.each([
    ['nothing', [], ''],
    ['one', [{ start: 8, end: 9 }], 'bAQ'],
    ['a long run', [{ start: 9, end: 1_000_009 }], 'rAb-EPQ'],
  ])('writes %s', (_name, ranges, text) => {
    expect(encodeFinished(7, ranges, ROOM)).toBe(text);
    expect(decodeFinished(7, text)).toEqual(ranges);
  });

  it('writes a bitmap where every second job is finished', () => {
    const ranges = Array.from({ length: 1_000 }, (_, i) => ({ start: 10 + 2 * i, end: 11 + 2 * i }));
    const text = encodeFinished(7, ranges, ROOM);
    expect(text[0]).toBe('b');
    expect(text.length).toBeLessThan(340);
    expect(decodeFinished(7, text)).toEqual(ranges);
  });

  it.each([
    [1, 2],
    [2, 3],
    [3, 10],
    [4, 200],
    [5, 4_000],
  ])('comes back, or is cut from the top (seed %i, spread %i)', (seed, spread) => {
    const random = createRandom(seed);
    for (let round = 0; round < 40; round++) {
      const committed = Math.floor(random() * 2 ** 50);
      const ranges = history(random, committed, spread);
      const room = random() < 0.5 ? ROOM : Math.floor(random() * 200);
      const text = encodeFinished(committed, ranges, room);
      expect(text.length).toBeLessThanOrEqual(Math.max(0, room));
      const told = decodeFinished(committed, text) as Range[];
      const last = told.at(-1);
      expect(told.slice(0, -1)).toEqual(ranges.slice(0, Math.max(0, told.length - 1)));
      if (last !== undefined) expect(last.start).toBe(ranges[told.length - 1]?.start);
      if (last !== undefined) expect(last.end).toBeLessThanOrEqual(ranges[told.length - 1]?.end ?? 0);
    }
  });

  it('tells at least 20,000 scattered offsets in the room that there is', () => {
    const random = createRandom(6);
    const set = new RangeSet();
    for (let offset = 1; offset < 40_000; offset++) if (random() < 0.9) set.add(offset, offset + 1);
    const told = decodeFinished(0, encodeFinished(0, set.ranges, ROOM)) as Range[];
    expect(told.reduce((sum, { start, end }) => sum + end - start, 0)).toBeGreaterThan(20_000);
  });

  it('reads any bytes within bounds, and nothing at or below the committed offset', { timeout: 30_000 }, () => {
    const random = createRandom(7);
    for (let round = 0; round < 2_000; round++) {
      const bytes = Buffer.from(Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256)));
      const ranges = decodeFinished(500, `${random() < 0.5 ? 'r' : 'b'}${bytes.toString('base64url')}`);
      for (const { start, end } of ranges ?? []) {
        expect(start).toBeGreaterThan(500);
        expect(end).toBeGreaterThan(start);
        expect(Number.isSafeInteger(end)).toBe(true);
      }
    }
  });

  it.each(['x', 'r', 'b', 'r!', 'r\u00e9', 'rAA', 'AAA', 'r__________8A'])('refuses %s', (text) => {
    expect(decodeFinished(0, text)).toBeUndefined();
  });
});
