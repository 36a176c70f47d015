import { expect, it } from 'vitest';
import type { FetchAnswer, FetchRequest } from '../../src/kafka/fetch-ahead.ts';
import { sizing } from '../../src/kafka/fetch-size.ts';

const REQUEST: FetchRequest = {
  maxBytes: 1,
  maxWaitTime: 250,
  topics: [{ topic: 't', partitions: [0, 3].map((partition) => ({ partition, fetchOffset: '7', maxBytes: 1 })) }],
};

function answer(...values: (number | null)[]): FetchAnswer {
  const messages = values.map((bytes) => ({ value: bytes === null ? null : Buffer.alloc(bytes) }));
  return { responses: [{ topicName: 't', partitions: [{ messages }] }] } as unknown as FetchAnswer;
}

/** How much is asked for in the fetch that follows upon these. */
async function askedAfter(...answers: FetchAnswer[]): Promise<FetchRequest> {
  let asked = REQUEST;
  const fetch = sizing(async (request) => {
    asked = request;
    return answers.shift() ?? answer();
  });
  for (let left = answers.length; left >= 0; left--) await fetch(REQUEST);
  return asked;
}

it.each([
  ['at first, a mebibyte', [], 1_048_576],
  ['of small records, no less', [answer(10, 20)], 1_048_576],
  ['of a kilobyte each, 3,000 of them', [answer(500, 1_500)], 3_000_000],
  ['of large ones, four mebibytes', [answer(1_000_000)], 4_194_304],
  ['of those without a value too', [answer(null, 2_000)], 3_000_000],
  ['as before when nothing came', [answer(1_000), answer(), answer()], 3_000_000],
])('asks for as much as fits the records: %s', async (_, answers, bytes) => {
  const partitions = [0, 3].map((partition) => ({ partition, fetchOffset: '7', maxBytes: bytes / 2 }));
  const topics = [{ topic: 't', partitions }];
  expect(await askedAfter(...answers)).toEqual({ ...REQUEST, maxBytes: bytes, topics });
});

it('asks for all of it of one partition alone', async () => {
  const asked: FetchRequest[] = [];
  const fetch = sizing(async (request) => {
    asked.push(request);
    return answer();
  });
  await fetch({ ...REQUEST, topics: [{ topic: 't', partitions: [{ partition: 3, fetchOffset: '7', maxBytes: 1 }] }] });
  expect(asked[0]?.topics[0]?.partitions[0]?.maxBytes).toBe(1_048_576);
});
