import { describe, expect, it } from 'vitest';
import { RangeSet } from '../../src/bridge/range-set.ts';
import {
  afterFence,
  concluded,
  firstToTake,
  isFinished,
  isRoutedAnew,
  mayCommit,
  offsetToCommit,
  startOf,
  toRemove,
  undrained,
} from '../../src/bridge/rules.ts';

const known = { generation: 0, fingerprint: 'aa', reached: -1, finished: [] };

describe('where an assignment starts', () => {
  it.each([
    ['at the beginning when nothing was committed', undefined, 0, 5],
    ['at the committed offset', 7, 0, 7],
    ['not below what this assignment has committed', 7, 9, 9],
  ])('%s', (_what, committed, own, start) => expect(startOf(committed, own, 5)).toBe(start));

  it('waits for the old routing to be drained', () => {
    expect(isRoutedAnew(known, 'aa')).toBe(false);
    expect(isRoutedAnew(undefined, 'aa')).toBe(false);
    expect(isRoutedAnew(known, 'bb')).toBe(true);
    expect(undrained([6, -1], 7)).toBeUndefined();
    expect(undrained([6, 7], 7)).toMatch(/drain with the old configuration/);
  });

  it('takes first what not every shard has dealt with', () => {
    expect(firstToTake(7, [9, 8])).toBe(9);
    expect(firstToTake(7, [9, -1])).toBe(7);
  });
});

describe('what a refusal by the ledger means', () => {
  it.each([
    ['behind', 4, 6, 'resend'],
    ['behind', 6, 6, 'reclaim'],
    ['disowned', 4, 6, 'reclaim'],
    ['reborn', 4, 6, 'reclaim'],
  ] as const)('%s, acknowledged %i, expected %i: %s', (status, acked, expected, answer) => {
    expect(afterFence(status, { acked, expected, isPresent: true })).toBe(answer);
    expect(afterFence(status, { acked, expected, isPresent: false })).toBe('ignore');
  });
});

describe('what is finished', () => {
  const low = new RangeSet([{ start: 0, end: 6 }]);
  const withGap = new RangeSet([
    { start: 0, end: 4 },
    { start: 5, end: 9 },
  ]);

  it('is concluded up to what the ledger has dealt with, without the unsettled', () => {
    expect(concluded({ from: 0, end: 512, enqueued: 9, unsettled: [3] })).toEqual({ start: 0, end: 10, except: [3] });
    expect(concluded({ from: 0, end: 8, enqueued: 9, unsettled: [] })).toEqual({ start: 0, end: 8, except: [] });
  });

  it('is so in every shard, or not at all', () => {
    expect(isFinished(3, [low, withGap])).toBe(true);
    expect(isFinished(4, [low, withGap])).toBe(false);
    expect(offsetToCommit(2, [low, withGap])).toBe(4);
    expect(offsetToCommit(5, [low])).toBe(6);
  });

  it('never lowers the commit', () => expect(offsetToCommit(8, [low])).toBe(8));

  it('leaves Redis before anything runs there after a loss', () => {
    expect(toRemove([3, 4, 7, 11], withGap)).toEqual([3, 7]);
  });

  it('is committed in the assignment that it belongs to', () => {
    expect([mayCommit(3, 3), mayCommit(3, 4)]).toEqual([true, false]);
  });
});
