/** What the scripts say about BullMQ's jobs, as data. */
import { aboutIn } from '../../job/options.ts';
import type { DeadJobReport, FinishedPage, Inspected, Settled } from '../sink.ts';

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

export function deadJobReport(queue: string, fields: readonly (string | null)[]): DeadJobReport | undefined {
  const [name, data, options, reason, stacks, attempts, timestamp, finishedOn] = fields;
  if (typeof name !== 'string') return undefined;
  return {
    queue,
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

/** `asked`: the offsets that were said to be finished. */
export function settled(reply: SettleReply, asked: readonly number[]): Settled {
  const [, , , left, dead] = reply;
  if (left.length === 0) return { status: 'ok', settled: asked, dead };
  const unsettled = new Set(left);
  return { status: 'ok', settled: asked.filter((offset) => !unsettled.has(offset)), dead };
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
