/** The ledger scripts' answers as data. Scripts answer arrays; their order is in each script's header. */
import { aboutIn } from '../../job/options.ts';
import type {
  Counted,
  DeadJobReport,
  Fenced,
  FenceStatus,
  FinishedPage,
  Inspected,
  Listed,
  Range,
  Refused,
  Settled,
} from '../sink.ts';

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

export type InspectReply = [string, number, string, number, number, number, number[], string[]];

export function inspected(reply: InspectReply, from: number): Inspected {
  const [, enqueued, , end, completed, gone, unsettled, dead] = reply;
  const deadJobs = dead.flatMap((text, i) => (i % 2 === 0 ? [{ offset: Number(text), queue: dead[i + 1] ?? '' }] : []));
  return { status: 'ok', enqueued, from, end, completed, gone, unsettled, dead: deadJobs };
}

/** BullMQ's fields of a job; `atm`: attempts made. */
export const REPORTED = [
  'name',
  'data',
  'opts',
  'failedReason',
  'stacktrace',
  'atm',
  'timestamp',
  'finishedOn',
] as const;

export function deadJobReport(fields: readonly (string | null)[]): DeadJobReport | undefined {
  const [name, data, options, reason, stacks, attempts, timestamp, finishedOn] = fields;
  if (typeof name !== 'string') return undefined;
  return {
    name,
    data: data ?? '',
    about: aboutIn(parsed(options)) ?? {},
    reason: reason ?? '',
    stack: lastStack(parsed(stacks)),
    attempts: Number(attempts ?? 0),
    createdAt: Number(timestamp ?? 0),
    failedAt: Number(finishedOn ?? 0),
  };
}

/** BullMQ keeps the stacks of all attempts as an array, the newest last. */
function lastStack(stacks: unknown): string {
  return Array.isArray(stacks) ? String(stacks.at(-1) ?? '') : '';
}

function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}

export type SettleReply = [string, number, string, number[], number[]];

export function settled(reply: SettleReply): Settled {
  const [, , , done, dead] = reply;
  return { status: 'ok', settled: done, dead };
}

/** Workers' clocks differ: a page begins so much before the end of the last one, and before the present. */
const OVERLAP_MS = 5_000;

/**
 * `found`: ids with their scores, the times at which they finished, by the clocks of those who did. A full page is
 * followed without overlap. `now`: milliseconds since the epoch.
 */
export function finishedPage(found: readonly string[], since: number, fullPage: number, now: number): FinishedPage {
  const ids = found.filter((_, i) => i % 2 === 0);
  const last = Number(found.at(-1) ?? since);
  if (ids.length < fullPage) return { ids, next: Math.max(since, Math.min(last, now) - OVERLAP_MS), isLast: true };
  return { ids, next: last > since ? last : since + 1, isLast: false };
}

/** What of the ranges lies at or above `from`. */
export function rangesFrom(ranges: readonly Range[], from: number): readonly Range[] {
  const first = ranges.findIndex(({ end }) => end > from);
  return first < 0 ? [] : ranges.slice(first);
}
