import { expect, it } from 'vitest';
import { KINDS } from '../../src/faults/kinds/kinds.ts';
import { planRounds } from '../../src/faults/schedule.ts';

const names = (seed: number, minutes: number, kinds = KINDS) =>
  planRounds(seed, minutes, kinds).map((round) => round.map(({ name }) => name));

it('draws the same faults from the same seed, and others from another', () => {
  expect(names(1, 10)).toEqual(names(1, 10));
  expect(names(1, 10)).not.toEqual(names(2, 10));
});

it('has in ten minutes at least forty faults, and every kind', () => {
  for (const seed of [1, 2, 3]) {
    const all = names(seed, 10).flat();
    expect(all.length).toBeGreaterThanOrEqual(40);
    expect(new Set(all).size).toBe(KINDS.length);
  }
});

it('has a kind again only when each had its turn, and those that are last once, at the end', () => {
  const usual = KINDS.filter(({ isLast }) => !isLast);
  const drawn = names(5, 30).flat();
  expect(new Set(drawn.slice(0, usual.length))).toEqual(new Set(usual.map(({ name }) => name)));
  const last = KINDS.filter(({ isLast }) => isLast).map(({ name }) => name);
  expect(drawn.slice(drawn.length - last.length)).toEqual(last);
});

it('does two at once only to different things', () => {
  const rounds = planRounds(3, 60, KINDS).filter((round) => round.length > 1);
  expect(rounds.length).toBeGreaterThan(10);
  for (const [first, second] of rounds) {
    expect(first?.area).not.toBe(second?.area);
    expect([first?.area, second?.area]).not.toContain('everything');
  }
});

it('goes on with the only kind that is asked for', () => {
  const [kind] = KINDS;
  expect(names(1, 1, [kind as (typeof KINDS)[number]])).toEqual(Array(5).fill([kind?.name]));
});
