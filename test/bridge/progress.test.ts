import { expect, it } from 'vitest';
import { isBehind, ProgressWatch } from '../../src/bridge/progress.ts';

const SITTING = { topic: 't', partition: 0, epoch: 1, position: 10, isFlowing: true, isBusy: false };
const MINUTE = 60_000;

it('suspects a partition that stood still for two minutes, and goes on suspecting it', () => {
  const watch = new ProgressWatch();
  expect(watch.suspects([SITTING], 0)).toEqual([]);
  expect(watch.suspects([SITTING], MINUTE)).toEqual([]);
  expect(watch.suspects([SITTING], 2 * MINUTE)).toEqual([SITTING]);
  expect(watch.suspects([SITTING], 3 * MINUTE)).toEqual([SITTING]);
});

it.each([
  ['it has moved', { position: 11 }],
  ['it is held back', { isFlowing: false }],
  ['a batch of it is in work', { isBusy: true }],
  ['it was assigned anew', { epoch: 2 }],
])('begins to count anew when %s', (_name, change) => {
  const watch = new ProgressWatch();
  watch.suspects([SITTING], 0);
  watch.suspects([{ ...SITTING, ...change }], MINUTE);
  expect(watch.suspects([{ ...SITTING, ...change }], 2 * MINUTE)).toEqual([]);
});

it('tells a partition that is behind from one that has nothing to take', () => {
  expect(isBehind(SITTING, new Map([['t/0', { low: 0, high: 11 }]]))).toBe(true);
  expect(isBehind(SITTING, new Map([['t/0', { low: 0, high: 10 }]]))).toBe(false);
  expect(isBehind(SITTING, new Map())).toBe(false);
});
