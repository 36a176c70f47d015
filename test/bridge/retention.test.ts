import { expect, it } from 'vitest';
import { isShort, retentionOf, timeLeftMs } from '../../src/bridge/retention.ts';

const DAY_MS = 86_400_000;

it.each([
  [0, DAY_MS, 0, DAY_MS],
  [0, DAY_MS, DAY_MS / 4, (DAY_MS * 3) / 4],
  [0, DAY_MS, 2 * DAY_MS, 0],
  [0, Number.POSITIVE_INFINITY, 9e15, Number.POSITIVE_INFINITY],
])('a record of %i, kept for %i, has at %i left: %i', (timestamp, retentionMs, now, left) => {
  expect(timeLeftMs(timestamp, retentionMs, now)).toBe(left);
});

it.each([
  [DAY_MS, DAY_MS, false],
  [DAY_MS / 4, DAY_MS, false],
  [DAY_MS / 4 - 1, DAY_MS, true],
  [0, DAY_MS, true],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, false],
])('%i of %i is short: %s', (left, retentionMs, short) => {
  expect(isShort(left, retentionMs)).toBe(short);
});

it.each([
  [{ 'cleanup.policy': 'delete', 'retention.ms': '1000' }, 1_000],
  [{ 'cleanup.policy': 'compact,delete', 'retention.ms': '1000' }, 1_000],
  [{ 'cleanup.policy': 'compact', 'retention.ms': '1000' }, Number.POSITIVE_INFINITY],
  [{ 'cleanup.policy': 'delete', 'retention.ms': '-1' }, Number.POSITIVE_INFINITY],
  [{}, Number.POSITIVE_INFINITY],
])('%o keeps records for %d ms', (settings, retentionMs) => {
  expect(retentionOf(new Map(Object.entries(settings)))).toBe(retentionMs);
});
