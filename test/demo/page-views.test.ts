import { expect, it } from 'vitest';
import { type PageView, pageViews } from '../../demo/page-views.ts';

function take(seed: number, count: number): PageView[] {
  const views: PageView[] = [];
  for (const view of pageViews(seed)) {
    views.push(view);
    if (views.length === count) break;
  }
  return views;
}

it('makes the same events of the same seed, and others of another', () => {
  expect(take(7, 500)).toEqual(take(7, 500));
  expect(take(7, 500)).not.toEqual(take(8, 500));
});

it('gives every event an id of its own, across seeds too', () => {
  const ids = [...take(1, 2_000), ...take(2, 2_000)].map(({ id }) => id);
  expect(new Set(ids).size).toBe(4_000);
});

it('lets a visitor click on from the page before, under one address and browser', () => {
  const views = take(3, 5_000);
  const visitors = Map.groupBy(views, ({ key }) => key);
  expect(visitors.size).toBeGreaterThan(100);
  let clicks = 0;
  for (const visits of visitors.values()) {
    expect(new Set(visits.map(({ message }) => `${message.address} ${message.userAgent}`)).size).toBe(1);
    for (const [i, { message }] of visits.entries()) {
      const before = visits[i - 1]?.message;
      if (before?.sessionId !== message.sessionId) continue;
      expect(message.referrer).toBe(before.url);
      clicks += 1;
    }
  }
  expect(clicks).toBeGreaterThan(1_000);
});

it('lets time go forward', () => {
  const times = take(3, 500).map(({ message }) => Date.parse(message.occurredAt));
  expect(times).toEqual([...times].sort((a, b) => a - b));
});
