import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type FetchAnswer, type FetchRequest, fetchingAhead } from '../../src/kafka/fetch-ahead.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const FETCHED = 10;

/** A log of 10,000 records in each of two partitions, told by tens; of what it was asked, the offsets. */
function log(end = 10_000) {
  const asked: string[][] = [];
  const fetch = async (request: FetchRequest): Promise<FetchAnswer> => {
    const partitions = request.topics.flatMap((topic) => topic.partitions);
    asked.push(partitions.map(({ partition, fetchOffset }) => `${partition}:${fetchOffset}`));
    return {
      responses: [{ topicName: 't', partitions: partitions.map((each) => answered(each, end)) }],
    } as unknown as FetchAnswer;
  };
  return { asked, fetch };
}

function answered({ partition, fetchOffset }: { partition: number; fetchOffset: string }, end: number) {
  const from = Number(fetchOffset);
  const messages = Array.from({ length: Math.min(FETCHED, end - from) }, (_, i) => ({ offset: `${from + i}` }));
  return { partition, highWatermark: `${end}`, messages };
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
])('asks Kafka for a partition %s', async (_, next) => {
  const { asked, fetch } = log();
  const ask = fetchingAhead(fetch);
  await ask(request(0, 500));
  const wanted = next.topics.flatMap(({ partitions }) => partitions.map(({ fetchOffset }) => fetchOffset));
  expect(firstOf(await ask(next))).toEqual(wanted);
  expect(asked).toHaveLength(4);
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

it('does not ask early where the log ends', async () => {
  const { asked, fetch } = log(1_000);
  const ask = fetchingAhead(fetch);
  await ask(request(0));
  expect(asked).toHaveLength(1);
});

it('takes an answer that nobody wanted for two seconds for one of another log', async () => {
  const { asked, fetch } = log();
  const ask = fetchingAhead(fetch);
  await ask(request(0));
  vi.advanceTimersByTime(2_000);
  await ask(request(10));
  expect(asked.map(([first]) => first)).toEqual(['0:0', '0:10', '0:10', '0:20']);
});

it('tells whoever asks what became of the request, and nobody else', async () => {
  const { fetch } = log();
  let calls = 0;
  const ask = fetchingAhead((each) => (++calls === 2 ? Promise.reject(new Error('away')) : fetch(each)));
  await ask(request(0));
  await expect(ask(request(10))).rejects.toThrow('away');
  expect(firstOf(await ask(request(10)))).toEqual(['10']);
  calls = 1;
  await ask(request(20));
  await ask(request(0));
});
