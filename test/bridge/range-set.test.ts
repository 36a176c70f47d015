import { describe, expect, it } from 'vitest';
import { RangeSet } from '../../src/bridge/range-set.ts';

/** A small generator of repeatable randomness (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe('RangeSet', () => {
  it('joins what touches and keeps apart what does not', () => {
    const set = new RangeSet();
    set.add(5, 7);
    set.add(0, 2);
    set.add(2, 5);
    set.add(9, 10);
    expect(set.ranges).toEqual([
      { start: 0, end: 7 },
      { start: 9, end: 10 },
    ]);
  });

  it('leaves holes out, whatever their order, and ignores holes outside', () => {
    const set = new RangeSet();
    set.addExcept(10, 20, [15, 12, 10, 19, 40, 3]);
    expect(set.ranges).toEqual([
      { start: 11, end: 12 },
      { start: 13, end: 15 },
      { start: 16, end: 19 },
    ]);
  });

  it.each([1, 2, 3, 4, 5])('agrees with a plain set of numbers (seed %i)', (seed) => {
    const next = random(seed);
    const set = new RangeSet();
    const plain = new Set<number>();
    for (let step = 0; step < 300; step++) {
      const start = Math.floor(next() * 200);
      const end = start + Math.floor(next() * 12);
      set.add(start, end);
      for (let offset = start; offset < end; offset++) plain.add(offset);
      const probe = Math.floor(next() * 210);
      expect(set.has(probe)).toBe(plain.has(probe));
      let missing = probe;
      while (plain.has(missing)) missing++;
      expect(set.nextMissing(probe)).toBe(missing);
    }
    const { ranges } = set;
    for (const [i, range] of ranges.entries()) {
      expect(range.start).toBeLessThan(range.end);
      if (i > 0) expect(range.start).toBeGreaterThan(ranges[i - 1]?.end ?? 0);
    }
  });
});
