import { expect, it } from 'vitest';
import { BUCKETS, bucketFor, delayStateTopic, delayTopic } from '../../src/job/late.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

it.each([
  [-HOUR_MS, undefined],
  [0, undefined],
  [15 * MINUTE_MS, undefined],
  [15 * MINUTE_MS + 1, '15m'],
  [HOUR_MS - 1, '15m'],
  [HOUR_MS, '1h'],
  [5 * HOUR_MS, '4h'],
  [47 * HOUR_MS, '12h'],
  [7 * 24 * HOUR_MS, '2d'],
  [10 * 365 * 24 * HOUR_MS, '8d'],
])('a job due in %i ms waits in %s', (dueInMs, name) => {
  expect(bucketFor(dueInMs, BUCKETS)?.name).toBe(name);
});

it('brings every record near its time, and never too late', () => {
  for (let dueInMs = 1; dueInMs < 60 * 24 * HOUR_MS; dueInMs = Math.ceil(dueInMs * 1.07)) {
    let left = dueInMs;
    let moves = 0;
    for (let to = bucketFor(left, BUCKETS); to !== undefined; to = bucketFor(left, BUCKETS)) {
      left -= to.waitMs;
      moves += 1;
    }
    expect(left).toBeGreaterThanOrEqual(0);
    expect(left).toBeLessThanOrEqual(BUCKETS.nearMs);
    expect(moves).toBeLessThanOrEqual(24);
  }
});

it('has waits in order, the shortest no longer than what counts as near', () => {
  const waits = BUCKETS.waits.map(({ waitMs }) => waitMs);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(waits[0]).toBeLessThanOrEqual(BUCKETS.nearMs);
});

it('names topics that Kafka takes, whatever the group is called', () => {
  expect(delayTopic('orders', 'sluice', '4h')).toBe('orders.delay.sluice.4h');
  expect(delayStateTopic('orders', 'sluice')).toBe('orders.delay.sluice.state');
  const odd = delayTopic('orders', 'my group: été', '4h');
  expect(odd).toMatch(/^orders\.delay\.[0-9a-f]{16}\.4h$/);
  expect(odd).not.toBe(delayTopic('orders', 'another group', '4h'));
});
