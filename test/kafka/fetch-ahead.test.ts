import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type FetchAnswer, type FetchRequest, fetchingAhead } from '../../src/kafka/fetch-ahead.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const FETCHED = 10;

/** A log of 10,000 records in each of two partitions, told by tens; of what it was asked, the offsets. */
function log(end = 10_000, stable = end) {
  const asked: string[][] = [];
  const fetch = async (request: FetchRequest): Promise<FetchAnswer> => {
    const partitions = request.topics.flatMap((topic) => topic.partitions);
    asked.push(partitions.map(({ partition, fetchOffset }) => `${partition}:${fetchOffset}`));
    return {
      responses: [{ topicName: 't', partitions: partitions.map((each) => answered(each, end, stable)) }],
    } as unknown as FetchAnswer;
  };
  return { asked, fetch };
}

function answered({ partition, fetchOffset }: { partition: number; fetchOffset: string }, end: number, stable = end) {
  const from = Number(fetchOffset);
  const messages = Array.from({ length: Math.min(FETCHED, end - from) }, (_, i) => ({ offset: `${from + i}` }));
  return { partition, highWatermark: `${end}`, lastStableOffset: `${stable}`, messages };
}

function request(...offsets: (number | undefined)[]): FetchRequest {
  const partitions = offsets.flatMap((fetchOffset, partition) =>
    fetchOffset === undefined ? [] : [{ partition, fetchOffset: `${fetchOffset}`, maxBytes: 1 }],
  );
  return { maxBytes: 2, topics: [{ topic: 't', partitions }] };
}

function firstOf({ responses }: FetchAnswer): (string | undefined)[] {
  return responses.flatMap(({ partitions }) => partitions.map(({ messages }) => messages[0]?.offset));
}

it('asks for what comes next while an answer is handled, and once', async () => {
  const { asked, fetch } = log();
  const ask = fetchingAhead(fetch);
  expect(firstOf(await ask(request(0, 500)))).toEqual(['0', '500']);
  expect(asked).toEqual([
    ['0:0', '1:500'],
    ['0:10', '1:510'],
  ]);
  expect(firstOf(await ask(request(10, 510)))).toEqual(['10', '510']);
  expect(asked.slice(2)).toEqual([['0:20', '1:520']]);
});

it.each([
  ['that goes on elsewhere', request(0, 510)],
  ['that stands still', request(10)],
  ['that stands still, of two', request(undefined, 510)],
  ['that wants other amounts', { ...request(10, 510), maxBytes: 3 }],
])('asks Kafka for a partition %s, and guesses nothing from the answer', async (_, next) => {
  const { asked, fetch } = log();
  const ask = fetchingAhead(fetch);
  await ask(request(0, 500));
  const wanted = next.topics.flatMap(({ partitions }) => partitions.map(({ fetchOffset }) => fetchOffset));
  const answer = await ask(next);
  expect(firstOf(answer)).toEqual(wanted);
  expect(asked).toHaveLength(3);
  await ask(request(20, 520));
  expect(asked).toHaveLength(5);
});

it('goes on from where a partition was that the answer held nothing of', async () => {
  const { asked, fetch } = log();
  let isFirst = true;
  const ask = fetchingAhead(async (each) => {
    const answer = await fetch(each);
    if (isFirst) answer.responses[0]?.partitions.pop();
    isFirst = false;
    return answer;
  });
  await ask(request(0, 500));
  expect(asked.at(-1)).toEqual(['0:10', '1:500']);
});

it.each([
  ['where the log ends', log(1_000)],
  ['for what is not decided', log(10_000, 1_000)],
])('does not ask early %s', async (_, { asked, fetch }) => {
  const ask = fetchingAhead(fetch);
  await ask(request(0));
  expect(asked).toHaveLength(1);
});

it('takes an answer that nobody wanted for two seconds for one of another log', async () => {
  const { asked, fetch } = log();
  const ask = fetchingAhead(fetch);
  await ask(request(0));
  await vi.advanceTimersByTimeAsync(1_999);
  await ask(request(10));
  await vi.advanceTimersByTimeAsync(2_000);
  await ask(request(20));
  expect(asked.map(([first]) => first)).toEqual(['0:0', '0:10', '0:20', '0:20']);
});

it('asks as ever where an early request came to nothing, and tells what becomes of that one', async () => {
  const { fetch } = log();
  const verdicts = [true, false, false, true];
  const ask = fetchingAhead((each) => (verdicts.shift() ? fetch(each) : Promise.reject(new Error('away'))));
  await ask(request(0));
  await expect(ask(request(10))).rejects.toThrow('away');
  expect(firstOf(await ask(request(10)))).toEqual(['10']);
});
