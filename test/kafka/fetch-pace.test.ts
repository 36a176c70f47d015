import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { FetchAnswer, FetchRequest } from '../../src/kafka/fetch-ahead.ts';
import { pacing } from '../../src/kafka/fetch-pace.ts';

const REQUEST = {} as FetchRequest;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Half of them of a partition in whose log `left` lie behind, half of another topic. */
function answer(records: number, left: number): FetchAnswer {
  const messages = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => ({ offset: String(from + i) }));
  const partition = (from: number, to: number, highWatermark: number) => {
    return {
      messages: messages(from, to),
      highWatermark: String(highWatermark),
      lastStableOffset: String(highWatermark),
    };
  };
  const first = Math.ceil(records / 2);
  const responses = [
    { topicName: 't', partitions: [partition(0, 0, 0), partition(0, first, first + left)] },
    { topicName: 'u', partitions: [partition(first, records, records)] },
  ];
  return { responses } as unknown as FetchAnswer;
}

interface Stretch {
  readonly fetches: number;
  /** Records that come in a millisecond. */
  readonly perMs: number;
  readonly tookMs: number;
  /** Records that are left in the log each time. */
  readonly left?: number;
}

/** How far apart the last two fetches of the last stretch were, in milliseconds. */
async function apart(...stretches: Stretch[]): Promise<number> {
  const askedAt = [performance.now()];
  let now: Stretch | undefined;
  const fetch = pacing(async () => {
    const { perMs, tookMs, left = 0 } = now as Stretch;
    const records = Math.round((performance.now() - (askedAt.at(-1) as number)) * perMs);
    askedAt.push(performance.now());
    await new Promise((resolve) => setTimeout(resolve, tookMs));
    return answer(records, left);
  });
  const fetching = (async () => {
    for (now of stretches) for (let i = 0; i < now.fetches; i++) await fetch(REQUEST);
  })();
  await vi.runAllTimersAsync();
  await fetching;
  return Math.round((askedAt.at(-1) as number) - (askedAt.at(-2) as number));
}

const MANY: Stretch = { fetches: 200, perMs: 12.5, tookMs: 1 };

it.each([
  ['few are not waited for', 10, [{ ...MANY, perMs: 0.5, tookMs: 10 }]],
  ['many gather for a millisecond for each thousand a second', 12, [MANY]],
  ['and for no longer than 20', 20, [{ ...MANY, perMs: 80 }]],
  ['what takes long is not waited for besides', 30, [{ ...MANY, tookMs: 30 }]],
  ['nor is anything while a thousand more are there', 2, [{ ...MANY, tookMs: 2, left: 1_000 }]],
  ['fewer are no backlog', 12, [{ ...MANY, left: 999 }]],
  ['behind a backlog many gather again', 12, [{ ...MANY, left: 5_000 }, MANY]],
  ['a moment without any changes little', 11, [MANY, { fetches: 2, perMs: 0, tookMs: 1 }]],
  ['a second without many, and few are not waited for', 5, [MANY, { fetches: 200, perMs: 0.1, tookMs: 5 }]],
  ['and a second with many, and they gather', 12, [{ fetches: 20, perMs: 0.1, tookMs: 100 }, MANY]],
] as const)('%s', async (_, ms, stretches) => {
  expect(await apart(...stretches)).toBe(ms);
});
