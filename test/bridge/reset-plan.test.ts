import { describe, expect, it } from 'vitest';
import { nonsenseIn, type PartitionFacts } from '../../src/bridge/offset-sense.ts';
import { planReset, type ResetPlan, type ResetWish } from '../../src/bridge/reset-plan.ts';

const KNOWN = { generation: 0, fingerprint: 'c0ffee', reached: 9, finished: [{ start: 7, end: 9 }] };
const ledger = (enqueued: number, generation = 0) => ({ isCorrupt: false, enqueued, generation });

/** Committed 5, finished 7 and 8 above, 5, 6 and 9 on a queue, 10 to 19 not taken. */
const SOUND: PartitionFacts = { bounds: { low: 0, high: 20 }, committed: 5, known: KNOWN, ledgers: [ledger(9)] };
const JOBS = { unsettled: 3, lowestUnsettled: 5 };

function plan(facts: PartitionFacts, wish: Partial<ResetWish> & { offset: number }, jobs = JOBS): ResetPlan {
  const made = planReset(facts, jobs, { fingerprint: 'now', ...wish });
  if (typeof made === 'string') throw new Error(made);
  return made;
}

describe('what makes no sense', () => {
  const cases: [string | undefined, Partial<PartitionFacts>][] = [
    [undefined, {}],
    [undefined, { committed: undefined, known: undefined, ledgers: [ledger(-1)] }],
    [undefined, { known: { ...KNOWN, generation: 2 }, ledgers: [ledger(500, 1)] }],
    ['below', { bounds: { low: 6, high: 20 } }],
    ['beyond', { bounds: { low: 0, high: 4 } }],
    ['cut', { bounds: { low: 0, high: 8 } }],
    ['cut', { known: { ...KNOWN, reached: 30 } }],
    ['forgotten', { committed: undefined, known: undefined }],
    ['forgotten', { known: undefined }],
    ['newer', { ledgers: [ledger(3, 1)] }],
    ['newer', { committed: undefined, known: undefined, ledgers: [ledger(-1, 2)] }],
    ['corrupt', { ledgers: [{ ...ledger(9), isCorrupt: true }] }],
  ];
  it.each(cases)('%s: %j', (kind, change) => {
    expect(nonsenseIn({ ...SOUND, ...change })?.kind).toBe(kind);
  });
});

describe('going on with the same records', () => {
  it('tells what is skipped, and keeps what is finished above', () => {
    expect(plan(SOUND, { offset: 12 })).toMatchObject({
      offset: 12,
      recordsAre: 'same',
      skipped: [{ start: 10, end: 12 }],
      again: [],
      onlyInRedis: 3,
      metadata: { generation: 0, fingerprint: 'c0ffee', reached: 9, finished: [] },
    });
    expect(plan(SOUND, { offset: 6 }).metadata.finished).toEqual([{ start: 7, end: 9 }]);
  });

  it('does not stop within what is finished', () => {
    expect(plan(SOUND, { offset: 7 }).offset).toBe(9);
    expect(plan(SOUND, { offset: 8 })).toMatchObject({ offset: 9, skipped: [] });
  });

  it('tells what has left the log unfinished', () => {
    const facts = { ...SOUND, bounds: { low: 8, high: 20 } };
    expect(plan(facts, { offset: 8 })).toMatchObject({ recordsAre: 'same', gone: [{ start: 5, end: 7 }], skipped: [] });
    const untaken = { ...SOUND, bounds: { low: 15, high: 20 } };
    expect(plan(untaken, { offset: 15 }).gone).toEqual([
      { start: 5, end: 7 },
      { start: 9, end: 15 },
    ]);
    expect(plan(untaken, { offset: 17 }).skipped).toEqual([{ start: 15, end: 17 }]);
  });

  it('goes on where the jobs are when only the commit is gone', () => {
    const facts = { ...SOUND, committed: undefined, known: undefined, ledgers: [ledger(9, 4)] };
    const made = plan(facts, { offset: 5, recordsAre: 'same' });
    expect(made).toMatchObject({
      offset: 5,
      skipped: [],
      onlyInRedis: 0,
      metadata: { generation: 4, fingerprint: 'now' },
    });
  });

  it('does not go back, where everything is finished', () => {
    expect(planReset(SOUND, JOBS, { offset: 3, fingerprint: 'now' })).toMatch(/--records new/);
  });
});

describe('taking the records for new ones', () => {
  it.each([
    { ...SOUND, bounds: { low: 0, high: 4 } },
    { ...SOUND, bounds: { low: 0, high: 8 } },
    { ...SOUND, committed: undefined, known: undefined },
  ])('does so by itself when offsets may name others: %j', (facts) => {
    const { high } = facts.bounds;
    expect(plan(facts, { offset: 1 })).toMatchObject({
      recordsAre: 'new',
      skipped: [{ start: 0, end: 1 }],
      again: [{ start: 1, end: high }],
      unwatchedJobs: 3,
      metadata: { generation: 1, reached: -1, finished: [] },
    });
  });

  it('skips nothing that is finished, in a log that is known', () => {
    expect(plan(SOUND, { offset: 3, recordsAre: 'new' }).skipped).toEqual([]);
    expect(plan(SOUND, { offset: 12, recordsAre: 'new' }).skipped).toEqual([{ start: 5, end: 12 }]);
  });

  it('takes a generation that neither Kafka nor any Redis has known', () => {
    const facts = { ...SOUND, known: { ...KNOWN, generation: 2 }, ledgers: [ledger(9, 2), ledger(9, 5)] };
    expect(plan(facts, { offset: 0 }).metadata.generation).toBe(6);
    expect(plan(SOUND, { offset: 3, recordsAre: 'new' }).metadata.generation).toBe(1);
  });
});

it('stays within the log', () => {
  for (const offset of [-1, 21])
    expect(planReset(SOUND, JOBS, { offset, fingerprint: 'x' })).toMatch(/0 \(earliest\) to 20/);
  expect(plan(SOUND, { offset: 20 }).offset).toBe(20);
});
