import { expect, it } from 'vitest';
import { createPace } from '../../src/collector/pace.ts';

const BACKOFF = { baseMs: 100, maxMs: 1_000 };
const make = () => createPace(4, BACKOFF, () => 0.999);

it('lets every connection work while all is well', () => {
  expect(make().allowed(0)).toBe(4);
});

it('rests after a failure, then asks with one request', () => {
  const pace = make();
  pace.failed(pace.epoch, 1_000, undefined);
  expect([pace.allowed(1_000), pace.allowed(1_099), pace.allowed(1_100)]).toEqual([0, 0, 1]);
  expect(pace.isUp).toBe(false);
});

it('rests longer and longer, up to the ceiling', () => {
  const pace = make();
  const rests = [1, 2, 3, 4, 5, 6].map(() => {
    pace.failed(pace.epoch, 0, undefined);
    return pace.restsUntil;
  });
  expect(rests).toEqual([100, 200, 400, 799, 999, 999]);
});

it('takes requests that failed together for one failure', () => {
  const pace = make();
  const epoch = pace.epoch;
  for (let i = 0; i < 4; i++) pace.failed(epoch, 0, undefined);
  expect(pace.restsUntil).toBe(100);
});

it('is up again with the first success after the rest', () => {
  const pace = make();
  pace.failed(pace.epoch, 0, undefined);
  pace.succeeded(pace.epoch);
  expect(pace.allowed(0)).toBe(4);
});

it('does not take the success of an older request for news', () => {
  const pace = make();
  const older = pace.epoch;
  pace.failed(pace.epoch, 0, 5_000);
  pace.succeeded(older);
  expect(pace.allowed(4_999)).toBe(0);
});

it('rests for as long as it was asked to, whoever was told', () => {
  const pace = make();
  const epoch = pace.epoch;
  pace.failed(epoch, 0, undefined);
  pace.failed(epoch, 0, 7_000);
  pace.failed(pace.epoch, 10, 20);
  expect(pace.restsUntil).toBe(7_000);
});
