import { expect, it } from 'vitest';
import { ProgressWatch } from '../../src/bridge/progress.ts';

const SECOND = 1_000;

/** A partition at offset 10 of a log that ends at `end`, whose next record is at `next`. */
function setUp({ end = 12, next = 12 } = {}) {
  const held = {
    topic: 't',
    partition: 0,
    epoch: 1,
    position: 10,
    isFlowing: true,
    isBusy: false,
    passGap(to: number) {
      held.position = to;
    },
  };
  const bounds = async () => new Map([['t/0', { low: 0, high: end }]]);
  const watch = new ProgressWatch({ bounds }, { next: async () => next });
  return { held, look: (seconds: number) => watch.look([held], seconds * SECOND) };
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
  const { look } = setUp({ next: 10 });
  for (let seconds = 0; seconds < 120; seconds += 5) await look(seconds);
  await expect(look(120)).rejects.toThrow('no record of t/0 at offset 10 arrives although Kafka holds some');
});

it('finds nothing wrong at the end of the log', async () => {
  const { held, look } = setUp({ end: 10, next: 10 });
  for (let seconds = 0; seconds <= 200; seconds += 5) await look(seconds);
  expect(held.position).toBe(10);
});
