import { expect, it } from 'vitest';
import { pieces, takeRequest, takeWhere } from '../../src/kafka/requests.ts';

const records = (count: number, bytes = 10) =>
  Array.from({ length: count }, () => ({ key: 'k', value: Buffer.alloc(bytes), headers: { h: 'x' } }));
const sizes = (parts: readonly { records: readonly object[] }[]) => parts.map((part) => part.records.length);

it('cuts a call by records and by bytes, and leaves a record that is larger alone', () => {
  expect(sizes(pieces('t', []))).toEqual([]);
  expect(sizes(pieces('t', records(2_500)))).toEqual([1_000, 1_000, 500]);
  expect(sizes(pieces('t', records(5, 400_000)))).toEqual([2, 2, 1]);
  expect(sizes(pieces('t', [...records(1), ...records(1, 2_000_000), ...records(1)]))).toEqual([1, 1, 1]);
});

it('lets calls of one topic that wait behind each other share a request, as far as they fit', () => {
  const waiting = [records(400), records(400), records(400)].flatMap((each) => pieces('t', each));
  waiting.push(...pieces('u', records(1)), ...pieces('t', records(1)));
  const taken = [];
  for (let request = takeRequest(waiting); request !== undefined; request = takeRequest(waiting)) taken.push(request);
  expect(taken.map(({ topic, pieces: parts }) => [topic, sizes(parts)])).toEqual([
    ['t', [400, 400]],
    ['t', [400]],
    ['u', [1]],
    ['t', [1]],
  ]);
});

it('takes out the rest of a call that failed', () => {
  const [failed, other] = [pieces('t', records(1_500)), pieces('t', records(1))];
  const waiting = [...failed, ...other];
  const rest = takeWhere(waiting, ({ call }) => call === failed[0]?.call);
  expect([rest, waiting]).toEqual([failed, other]);
});
