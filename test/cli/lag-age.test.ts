import { expect, test } from 'vitest';
import { ageOf } from '../../src/cli/status/kafka.ts';

const NOW = 1_700_000_000_000;

/** Partitions whose record at offset n was written n seconds after their first. */
function log(ages: Record<string, number>) {
  let asked = 0;
  const offsetsAt = async (time: number) => {
    asked += 1;
    const entries = Object.entries(ages).map(([key, age]) => {
      const first = NOW - age * 1_000;
      return [key, Math.max(0, Math.min(age, Math.ceil((time - first) / 1_000)))] as const;
    });
    return new Map(entries);
  };
  return { offsetsAt, asked: () => asked };
}

test.each([1, 3, 10, 60, 777, 3_600, 86_400, 1_000_000])('a record of %i s', async (age) => {
  const { offsetsAt, asked } = log({ 't/0': age });
  const found = await ageOf(new Map([['t/0', 0]]), offsetsAt, NOW);
  expect(found).toBeGreaterThanOrEqual(age);
  expect(found).toBeLessThanOrEqual(age * 1.13 + 1);
  expect(asked()).toBeLessThan(30);
});

test('the oldest of several partitions counts, from the first unfinished record', async () => {
  const { offsetsAt } = log({ 't/0': 5_000, 't/1': 1_000 });
  const found = await ageOf(
    new Map([
      ['t/0', 4_950],
      ['t/1', 200],
    ]),
    offsetsAt,
    NOW,
  );
  expect(found).toBeGreaterThanOrEqual(800);
  expect(found).toBeLessThanOrEqual(910);
});
