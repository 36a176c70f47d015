import { expect, it } from 'vitest';
import { ProgressWatch } from '../../src/bridge/progress.ts';
import { Sends } from '../../src/bridge/sends.ts';

const SECOND = 1_000;
const RECORD = { offset: 10, isRecord: true };
const NOTHING = { offset: 10, isRecord: false };

/** A partition at offset 10 of a log that ends at `end`, and what the reader says comes next. */
function setUp({ end = 12, next = { offset: 12, isRecord: false } } = {}) {
  const log = { end, next: async () => next };
  const held = {
    topic: 't',
    partition: 0,
    epoch: 1,
    position: 10,
    isFlowing: true,
    isBusy: false,
    sends: new Sends(),
    passGap(to: number) {
      held.position = to;
    },
  };
  const bounds = async () => new Map([['t/0', { low: 0, high: log.end }]]);
  const watch = new ProgressWatch({ bounds }, { next: () => log.next() });
  return { held, log, look: (seconds: number) => watch.look([held], seconds * SECOND) };
}

it('passes over marks of transactions at the end of the log, once the partition is quiet', async () => {
  const { held, look } = setUp();
  await look(0);
  await look(2);
  expect(held.position).toBe(10);
  await look(4);
  expect(held.position).toBe(12);
});

it.each([
  ['it has moved', { position: 11 }],
  ['it is held back', { isFlowing: false }],
  ['a batch of it is in work', { isBusy: true }],
  ['it was assigned anew', { epoch: 2 }],
])('leaves it alone when %s', async (_name, change) => {
  const { held, look } = setUp();
  await look(0);
  Object.assign(held, change);
  const { position } = held;
  await look(4);
  expect(held.position).toBe(position);
});

it('finds one stuck before a record that does not come for two minutes', async () => {
  const { look } = setUp({ next: RECORD });
  for (let seconds = 0; seconds < 120; seconds += 5) await look(seconds);
  await expect(look(120)).rejects.toThrow('no record of t/0 at offset 10 arrives although Kafka holds some');
});

it('finds nothing wrong at the end of the log', async () => {
  const { held, look } = setUp({ end: 10, next: NOTHING });
  for (let seconds = 0; seconds <= 200; seconds += 5) await look(seconds);
  expect(held.position).toBe(10);
});

it.each([
  ['the transaction before it is not decided', async () => NOTHING],
  ['Kafka does not answer', async () => Promise.reject(new Error('away'))],
])('does not take it for stuck while %s, nor at once after that', async (_name, next) => {
  const { log, look } = setUp();
  log.next = next;
  for (let seconds = 0; seconds <= 300; seconds += 5) await look(seconds);
  log.next = async () => RECORD;
  for (let seconds = 305; seconds < 420; seconds += 5) await look(seconds);
  await expect(look(420)).rejects.toThrow('no record of t/0 at offset 10 arrives');
});

it('gives the client its time for a record that comes after a long silence', async () => {
  const { log, look } = setUp({ end: 10, next: NOTHING });
  for (let seconds = 0; seconds <= 300; seconds += 5) await look(seconds);
  Object.assign(log, { end: 11, next: async () => RECORD });
  for (let seconds = 305; seconds < 420; seconds += 5) await look(seconds);
  await expect(look(420)).rejects.toThrow('no record of t/0 at offset 10 arrives');
});
