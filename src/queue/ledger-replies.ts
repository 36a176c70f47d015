/** The ledger scripts' answers as data. Scripts answer arrays; their order is in each script's header. */
import type { Counted, Fenced, FenceStatus, Listed, Range, Refused } from './sink.ts';

/** Offsets of one chunk are kept as one Redis set of numbers below 512, which Redis stores in two bytes each. */
export const CHUNK = 512;

export function fenced(status: string, enqueued: number): Fenced {
  return { status: status as FenceStatus, enqueued };
}

export function refusal(reply: readonly unknown[]): Refused {
  return { status: 'refused', queue: String(reply[2]), why: String(reply[3]) };
}

export type CountReply = [string, number, string, number, number[], string[], number[]];

export function counted(reply: CountReply, from: number): Counted {
  const [, enqueued, , end, counts, queues, noted] = reply;
  const blocks = counts.flatMap((chunk, i) => {
    const start = chunk * CHUNK;
    return i % 2 === 0 ? [{ start, end: Math.min(start + CHUNK, end), unsettled: counts[i + 1] ?? 0 }] : [];
  });
  const changed = noted.map((chunk) => chunk * CHUNK).sort((a, b) => a - b);
  return { status: 'ok', enqueued, from, end, blocks, queues, changed };
}

export type ListReply = [string, number, string, number, (number | string[])[]];

export function listed(reply: ListReply, from: number): Listed {
  const [, enqueued, , end, lists] = reply;
  const unsettled: number[] = [];
  for (let i = 0; i < lists.length; i += 2) {
    const start = (lists[i] as number) * CHUNK;
    for (const slot of lists[i + 1] as string[]) unsettled.push(start + Number(slot));
  }
  return { status: 'ok', enqueued, from, end, unsettled };
}

/** What of the ranges lies at or above `from`. */
export function rangesFrom(ranges: readonly Range[], from: number): readonly Range[] {
  const first = ranges.findIndex(({ end }) => end > from);
  return first < 0 ? [] : ranges.slice(first);
}
