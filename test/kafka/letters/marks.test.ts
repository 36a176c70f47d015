import { expect, it } from 'vitest';
import type { KafkaRecord } from '../../../src/kafka/consumer.ts';
import { markIn, markRecord } from '../../../src/kafka/letters/marks.ts';
import { States } from '../../../src/kafka/letters/survey.ts';

function stored(offset: number, state: 'replayed' | 'purged', offsets: readonly number[]): KafkaRecord {
  const { value, headers = {} } = markRecord({ topic: 't.dlq', partition: 0 }, state, offsets);
  return { offset, key: null, value, timestamp: 0, headers };
}

it('says of every letter what became of it, neighbours as one run', () => {
  const mark = stored(20, 'replayed', [1, 2, 3, 7, 9, 10]);
  expect(markIn(mark)?.runs).toEqual([
    [1, 3],
    [7, 7],
    [9, 10],
  ]);
  const states = new States();
  states.learn(mark);
  states.learn(stored(21, 'purged', [4]));
  expect([0, 1, 3, 4, 5, 7, 10, 11].map((offset) => states.of(offset))).toEqual([
    'waiting',
    'replayed',
    'replayed',
    'purged',
    'waiting',
    'replayed',
    'replayed',
    'waiting',
  ]);
});

it.each([
  '',
  'x',
  'null',
  '[]',
  '{"state":"lost","runs":[]}',
  '{"state":"purged","runs":[[1]]}',
  '{"state":"purged","runs":[[5,1]]}',
])('passes over what is no mark: %s', (text) => {
  const record = { ...stored(20, 'purged', [1]), value: Buffer.from(text) };
  expect(markIn(record)).toBeUndefined();
});

it('believes no mark beyond its own place, and none that would take for ever to read', () => {
  const learnt = (runs: string) => {
    const states = new States();
    states.learn({ ...stored(3, 'purged', [1]), value: Buffer.from(`{"version":1,"state":"purged","runs":${runs}}`) });
    return [3, 4].map((offset) => states.of(offset));
  };
  expect(learnt('[[0,100]]')).toEqual(['purged', 'waiting']);
  expect(learnt('[[0,9007199254740991]]')).toEqual(['waiting', 'waiting']);
});
