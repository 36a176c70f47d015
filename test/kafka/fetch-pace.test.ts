import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FetchAnswer, FetchRequest } from '../../src/kafka/fetch-ahead.ts';
import { pacing } from '../../src/kafka/fetch-pace.ts';

const REQUEST = {} as FetchRequest;
const FETCHES = 200;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Of a log that so many records come to in a millisecond, fetches that take so long: how far apart the last ones were, in milliseconds. */
async function apart(perMs: number, tookMs: number): Promise<number[]> {
  const askedAt = [performance.now()];
  const fetch = pacing(async () => {
    const records = Math.round((performance.now() - (askedAt.at(-1) as number)) * perMs);
    askedAt.push(performance.now());
    await new Promise((resolve) => setTimeout(resolve, tookMs));
    const partitions = [{ messages: Array(records).fill({}) }, { messages: [] }];
    return { responses: [{ topicName: 't', partitions }] } as unknown as FetchAnswer;
  });
  const fetching = (async () => {
    for (let i = 0; i < FETCHES; i++) await fetch(REQUEST);
  })();
  await vi.runAllTimersAsync();
  await fetching;
  return askedAt
    .slice(-3)
    .map((at, i, all) => Math.round(at - (all[i - 1] ?? at)))
    .slice(1);
}

it.each([
  ['few are not waited for', 0.5, 10, 10],
  ['many gather for a millisecond for each thousand a second', 12.5, 1, 12],
  ['and for no longer than 20', 40, 1, 20],
  ['what takes long is not waited for besides', 12, 30, 30],
  ['nor is anything behind a large answer', 100, 11, 11],
])('%s', async (_, perMs, tookMs, ms) => {
  expect(await apart(perMs, tookMs)).toEqual([ms, ms]);
});
