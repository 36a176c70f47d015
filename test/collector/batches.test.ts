import { expect, it } from 'vitest';
import { createBatches } from '../../src/collector/batches.ts';
import { FRAME_BYTES } from '../../src/collector/tp2.ts';

interface Event {
  readonly event: { text: string; bytes: number; stmOffsetMs: number };
  readonly since: number;
  isSettled: boolean;
  readonly name: number;
}

const event = (name: number, { since = 0, bytes = 100 } = {}): Event => ({
  event: { text: '', bytes, stmOffsetMs: 0 },
  since,
  isSettled: false,
  name,
});
const LIMITS = { batchEvents: 3, batchBytes: FRAME_BYTES + 1_000, batchAgeMs: 10 };
const names = (batch: { events: readonly Event[] } | undefined) => batch?.events.map(({ name }) => name);

it('cuts by count', () => {
  const batches = createBatches<Event>(LIMITS);
  for (let i = 0; i < 7; i++) batches.add(event(i));
  expect([names(batches.take(0, false)), names(batches.take(0, false))]).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
  expect(batches.take(0, false)).toBeUndefined();
  expect(batches.nextAt(false)).toBe(10);
  batches.add(event(7));
  batches.add(event(8));
  expect(batches.nextAt(false)).toBe(0);
});

it('cuts by bytes, and lets an event that is too large go alone', () => {
  const batches = createBatches<Event>(LIMITS);
  for (const [i, bytes] of [600, 500, 5_000, 100].entries()) batches.add(event(i, { bytes }));
  const taken = [1, 2, 3, 4].map(() => names(batches.take(1_000, false)));
  expect(taken).toEqual([[0], [1], [2], [3]]);
  batches.add(event(4, { since: 1_000 }));
  expect(batches.nextAt(false)).toBe(1_010);
});

it('cuts by age, unless there is nobody to wait for', () => {
  const batches = createBatches<Event>(LIMITS);
  batches.add(event(0, { since: 5 }));
  expect(batches.nextAt(false)).toBe(15);
  expect(batches.take(14, false)).toBeUndefined();
  expect(names(batches.take(14, true))).toEqual([0]);
  batches.add(event(1, { since: 5 }));
  expect(names(batches.take(15, false))).toEqual([1]);
  expect(batches.nextAt(false)).toBeUndefined();
});

it('keeps a batch together when it goes again, and not before it is due', () => {
  const batches = createBatches<Event>(LIMITS);
  const first = { events: [event(0), event(1)], failures: 2, dueAt: 50 };
  batches.again(first);
  batches.add(event(2, { since: 0 }));
  expect(names(batches.take(49, false))).toEqual([2]);
  expect(batches.nextAt(true)).toBe(50);
  expect(batches.take(50, false)).toEqual(first);
});

it('lets go first what has waited longest', () => {
  const batches = createBatches<Event>(LIMITS);
  batches.add(event(0, { since: 20 }));
  batches.again({ events: [event(1)], failures: 1, dueAt: 30 });
  batches.again({ events: [event(2)], failures: 1, dueAt: 10 });
  const order = [1, 2, 3].map(() => names(batches.take(100, false)));
  expect(order).toEqual([[2], [0], [1]]);
});

it('leaves out what is settled, and forgets batches of nothing else', () => {
  const batches = createBatches<Event>(LIMITS);
  const gone = event(0);
  gone.isSettled = true;
  batches.again({ events: [gone], failures: 0, dueAt: 0 });
  batches.again({ events: [gone, event(1)], failures: 0, dueAt: 0 });
  batches.add(gone);
  expect(names(batches.take(1_000, true))).toEqual([1]);
  expect(batches.take(1_000, true)).toBeUndefined();
});
