/** Figures of measurements: what is made of rounds, and how they are shown. */
import { expect, it } from 'vitest';
import { bars, lines } from '../../bench/chart.ts';
import { quantile, ratioOf, spreadOf } from '../../bench/statistics.ts';
import { tableOf } from '../../bench/table.ts';

it('takes the median of rounds and the span of all', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
  expect(spreadOf([Number.NaN, 4])).toEqual({ median: 4, low: 4, high: 4 });
  expect(spreadOf([10, 20])).toEqual({ median: 15, low: 10, high: 20 });
});

it('reads quantiles between the nearest two', () => {
  expect(quantile([0, 10], 0.99)).toBeCloseTo(9.9);
  expect(quantile([7], 0.5)).toBe(7);
});

it('compares neighbours of a round, so that a slow round slows both', () => {
  expect(ratioOf([100, 10, 200], [50, 5, 100])).toBe(2);
  expect(ratioOf([100, 10], [50])).toBe(2);
});

it('shows rows with their spread, and a single row on its side', () => {
  const perSecond = { median: 82_000, low: 80_000, high: 90_000 };
  expect(tableOf({ sluice: { perSecond }, other: { perSecond: 5 } })).toBe(
    '|  | jobs/s |\n| --- | ---: |\n| sluice | 82,000 (80,000 to 90,000) |\n| other | 5 |\n',
  );
  expect(tableOf({ ratio: { a: 2, b: 3 } })).toBe('|  | ratio |\n| --- | ---: |\n| a | 2 |\n| b | 3 |\n');
});

it('draws what it is given, and nothing that is no number', () => {
  const picture = bars([
    {
      title: 'fill',
      values: [
        { label: 'sluice', value: 10 },
        { label: 'other', value: 5 },
      ],
    },
  ]);
  expect(picture.match(/<rect /g)).toHaveLength(2);
  const line = lines(
    [
      {
        label: 'redis',
        points: [
          [0, 0],
          [10, 5],
        ],
      },
    ],
    'seconds',
    'MiB',
  );
  expect(`${picture}${line}`).not.toMatch(/NaN|undefined/);
});
