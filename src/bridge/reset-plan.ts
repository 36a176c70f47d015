/**
 * What moving a partition's offset would do: which records would never become jobs, which would become jobs once more,
 * and which jobs nobody would wait for. Pure: the command shows it, or has it carried out.
 */
import type { CommitMetadata } from './metadata.ts';
import { nonsenseIn, type PartitionFacts } from './offset-sense.ts';
import { type Range, RangeSet } from './range-set.ts';

/**
 * What the records of the log are. `same`: those that Sluice knows; what is finished or on a queue stays so. `new`:
 * others, or to be run once more: every one from the offset on becomes a job under a new id.
 */
export type RecordsAre = 'same' | 'new';

export interface ResetPlan {
  readonly offset: number;
  readonly recordsAre: RecordsAre;
  readonly metadata: CommitMetadata;
  readonly before: { readonly offset: number | undefined; readonly generation: number };
  /** In the log, not dealt with, and passed over. */
  readonly skipped: readonly Range[];
  /** Not finished, and not in the log any more. */
  readonly gone: readonly Range[];
  /** Jobs that are made once more, if their records were dealt with. */
  readonly again: readonly Range[];
  /** Jobs that run on with nobody waiting for them: one that dies stays in its queue, without a letter. */
  readonly unwatchedJobs: number;
  /** At most so many jobs below the offset are not finished: Redis alone has them from then on. */
  readonly onlyInRedis: number;
}

export interface ResetWish {
  readonly offset: number;
  /** Default: `new` when the offsets show that the log is another one. */
  readonly recordsAre?: RecordsAre | undefined;
  /** Of the present routing, where no commit tells of an earlier one. */
  readonly fingerprint: string;
}

/** Jobs of the partition that Redis still has. */
export interface LedgerJobs {
  readonly unsettled: number;
  /** -1: none. */
  readonly lowestUnsettled: number;
}

/** A text: why the wish makes no sense. */
export function planReset(facts: PartitionFacts, jobs: LedgerJobs, wish: ResetWish): ResetPlan | string {
  const { bounds, known } = facts;
  const { offset } = wish;
  if (offset < bounds.low || offset > bounds.high) {
    return `offset ${offset} is not in the log; allowed: ${bounds.low} (earliest) to ${bounds.high} (latest)`;
  }
  const isOther = ['beyond', 'cut', 'forgotten', 'newer'].includes(nonsenseIn(facts)?.kind ?? '');
  const recordsAre = wish.recordsAre ?? (isOther ? 'new' : 'same');
  const before = { offset: facts.committed, generation: known?.generation ?? 0 };
  if (recordsAre === 'new') return newLog(facts, jobs, wish, { before, isOther });
  if (offset < (facts.committed ?? 0)) {
    return `offset ${offset} lies below the committed ${facts.committed}, where everything is finished; to run it once more: --records new`;
  }
  return sameLog(facts, jobs, wish, before);
}

/** Of the log that Sluice knows, what lies below the commit was dealt with; of another one, nothing. */
function newLog(
  { bounds, committed = 0, ledgers }: PartitionFacts,
  { unsettled }: LedgerJobs,
  { offset, fingerprint }: ResetWish,
  { before, isOther }: { before: ResetPlan['before']; isOther: boolean },
): ResetPlan {
  const generation = Math.max(before.generation, ...ledgers.map((each) => each.generation)) + 1;
  return {
    offset,
    recordsAre: 'new',
    metadata: { generation, fingerprint, reached: -1, finished: [] },
    before,
    skipped: ranges(isOther ? bounds.low : Math.max(bounds.low, committed), offset),
    gone: [],
    again: ranges(offset, bounds.high),
    unwatchedJobs: unsettled,
    onlyInRedis: unsettled,
  };
}

/** Jobs that are on their queues stay watched, those below the offset too: their ledger stays. */
function sameLog(
  { bounds, committed = bounds.low, known, ledgers }: PartitionFacts,
  { unsettled, lowestUnsettled }: LedgerJobs,
  { offset: wished, fingerprint }: ResetWish,
  before: ResetPlan['before'],
): ResetPlan {
  const generation = Math.max(before.generation, ...ledgers.map((each) => each.generation));
  const dealtWith = new RangeSet([{ start: 0, end: Math.min(...ledgers.map(({ enqueued }) => enqueued)) + 1 }]);
  const finished = new RangeSet([{ start: 0, end: committed }]);
  for (const { start, end } of known?.finished ?? []) {
    dealtWith.add(start, end);
    finished.add(start, end);
  }
  const offset = Math.min(bounds.high, finished.nextMissing(wished));
  const gone = missing(finished, committed, Math.min(bounds.low, offset));
  finished.add(0, offset);
  return {
    offset,
    recordsAre: 'same',
    metadata: {
      generation,
      fingerprint: known?.fingerprint ?? fingerprint,
      reached: known?.reached ?? -1,
      finished: finished.rangesAbove(offset),
    },
    before,
    skipped: missing(dealtWith, Math.max(committed, bounds.low), offset),
    gone,
    again: [],
    unwatchedJobs: 0,
    onlyInRedis: lowestUnsettled >= 0 && lowestUnsettled < offset ? unsettled : 0,
  };
}

function ranges(start: number, end: number): readonly Range[] {
  return end > start ? [{ start, end }] : [];
}

/** What of [from, to) is not in the set. */
function missing(set: RangeSet, from: number, to: number): readonly Range[] {
  const found: Range[] = [];
  for (let at = set.nextMissing(from); at < to; ) {
    const next = set.ranges.find(({ start }) => start > at)?.start ?? to;
    found.push({ start: at, end: Math.min(next, to) });
    at = set.nextMissing(Math.min(next, to));
  }
  return found;
}
