import { expect, it } from 'vitest';
import { type Counts, disagreements, isThrough } from '../../demo/counts.ts';
import { gateInWords, lineOf } from '../../demo/live-line.ts';

const GOOD: Counts = {
  produced: 10,
  enqueued: 10,
  createdTwice: 0,
  completed: 10,
  receivedDistinct: 10,
  receivedTotal: 12,
  deadLettered: 0,
};

it('is content when all agree; an event may have been received twice', () => {
  expect(disagreements(GOOD)).toEqual([]);
  expect(isThrough(GOOD)).toBe(true);
});

it.each([
  [{ enqueued: 9 }, 'enqueued is 9, produced 10: 1 are missing'],
  [{ completed: 4 }, 'completed is 4, produced 10: 6 are missing'],
  [{ receivedDistinct: 11 }, 'receivedDistinct is 11, produced 10: 1 too many'],
  [{ createdTwice: 2 }, '2 jobs were created twice'],
  [{ deadLettered: 3 }, '3 records are dead letters'],
])('says what is wrong with %o', (change, line) => {
  expect(disagreements({ ...GOOD, ...change })).toEqual([line]);
});

it('does not wait for what has become a dead letter', () => {
  expect(isThrough({ ...GOOD, completed: 7, receivedDistinct: 7 })).toBe(false);
  expect(isThrough({ ...GOOD, completed: 7, receivedDistinct: 7, deadLettered: 3 })).toBe(true);
});

it('shows every station', () => {
  expect(lineOf({ ...GOOD, enqueued: 7, completed: 4, receivedDistinct: 5, deadLettered: 1 }, 'open', 100, 50)).toBe(
    'produced 10 (100/s) · in Kafka 3 · gate open · in queue 3 · done 4 · received 5 (50/s) · dead 1',
  );
});

it('says of a gate that no bridge has told of yet that it is starting', () => {
  const gates = [undefined, { isOpen: true, cause: 'room' }, { isOpen: false, cause: 'memory' }];
  expect(gates.map(gateInWords)).toEqual(['starting', 'open', 'closed (memory)']);
});
