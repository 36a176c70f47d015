import { expect, it } from 'vitest';
import { verdictOf } from '../../src/collector/verdict.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const answer = (status: number, retryAfter?: string, text = '') => verdictOf({ status, retryAfter, text }, NOW);

it.each([200, 201, 204])('%i: accepted', (status) => {
  expect(answer(status)).toEqual({ kind: 'accepted' });
});

it.each([
  [400, true],
  [413, true],
  [422, true],
  [401, false],
  [403, false],
  [410, false],
])('%i: never again; by one event: %s', (status, isByEvent) => {
  expect(answer(status)).toEqual({ kind: 'refused', isByEvent, reason: `answered ${status}` });
});

it.each([301, 302, 402, 405, 408, 409, 425, 429, 451, 499, 500, 502, 503, 504, 599])('%i: again', (status) => {
  expect(answer(status)).toEqual({ kind: 'retry', reason: `answered ${status}` });
});

it('asks about the address when there is nothing at it', () => {
  expect(answer(404, undefined, 'no such page')).toEqual({
    kind: 'retry',
    reason: 'answered 404, is collector.url right?: no such page',
  });
});

it.each([
  ['7', 7_000],
  [' 0 ', 0],
  ['Sat, 31 Jan 2026 12:00:05 GMT', 5_000],
  ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
  ['999999999999999999999999', 300_000],
  ['Sat, 31 Jan 2099 11:00:00 GMT', 300_000],
])('Retry-After %s: %i ms', (header, afterMs) => {
  expect(answer(503, header)).toEqual({ kind: 'retry', reason: 'answered 503', afterMs });
});

it.each(['soon', '', '-5x', '1.5s'])('Retry-After "%s" says nothing', (header) => {
  expect(answer(503, header)).toEqual({ kind: 'retry', reason: 'answered 503' });
});
