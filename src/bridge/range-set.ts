/**
 * A set of offsets as half-open ranges [start, end), in order, not touching. Grows only.
 * Adding costs the ranges that are passed over; the ledger adds near one place, so that is few.
 */
import type { Range } from '../queue/sink.ts';

export type { Range };

export class RangeSet {
  #ranges: Range[];

  constructor(ranges: readonly Range[] = []) {
    this.#ranges = [];
    for (const { start, end } of ranges) this.add(start, end);
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  has(offset: number): boolean {
    const range = this.#ranges[this.#firstEndingAfter(offset)];
    return range !== undefined && range.start <= offset;
  }

  /** The lowest offset at or above `offset` that is not in the set. */
  nextMissing(offset: number): number {
    const range = this.#ranges[this.#firstEndingAfter(offset)];
    return range !== undefined && range.start <= offset ? range.end : offset;
  }

  /** How many offsets of [start, end) are not in the set. */
  missingIn(start: number, end: number): number {
    let missing = Math.max(0, end - start);
    for (let i = this.#firstEndingAfter(start); (this.#ranges[i]?.start ?? end) < end; i++) {
      const range = this.#ranges[i] as Range;
      missing -= Math.min(range.end, end) - Math.max(range.start, start);
    }
    return missing;
  }

  /** What lies above `offset`, cut there. */
  rangesAbove(offset: number): Range[] {
    const from = offset + 1;
    return this.#ranges
      .slice(this.#firstEndingAfter(from))
      .map(({ start, end }) => ({ start: Math.max(start, from), end }));
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const first = this.#firstEndingAfter(start - 1);
    let last = first;
    let merged = { start, end };
    for (let range = this.#ranges[last]; range !== undefined && range.start <= end; range = this.#ranges[++last]) {
      merged = { start: Math.min(merged.start, range.start), end: Math.max(merged.end, range.end) };
    }
    this.#ranges.splice(first, last - first, merged);
  }

  /** Adds [start, end) without the offsets in `holes`, which need no order. */
  addExcept(start: number, end: number, holes: readonly number[]): void {
    let from = start;
    for (const hole of [...holes].sort((a, b) => a - b)) {
      this.add(from, Math.min(hole, end));
      from = Math.max(from, hole + 1);
    }
    this.add(from, end);
  }

  /** Index of the first range whose end lies above `offset`. */
  #firstEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range).end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The offsets that are in both; the arguments are in order and do not touch. */
export function intersect(one: readonly Range[], other: readonly Range[]): Range[] {
  const common: Range[] = [];
  for (let i = 0, k = 0; i < one.length && k < other.length; ) {
    const [a, b] = [one[i] as Range, other[k] as Range];
    const [start, end] = [Math.max(a.start, b.start), Math.min(a.end, b.end)];
    if (start < end) common.push({ start, end });
    if (a.end < b.end) i += 1;
    else k += 1;
  }
  return common;
}
