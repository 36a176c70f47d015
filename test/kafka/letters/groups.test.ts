import { describe, expect, it } from 'vitest';
import { groupLetters, normalized } from '../../../src/kafka/letters/groups.ts';
import { toLetter } from '../../../src/kafka/letters/letter.ts';

describe('an error without what differs', () => {
  it.each([
    ['user 17 is not there', 'user <n> is not there'],
    ['timeout after 1234 ms at 10.0.0.7:5432', 'timeout after <n> ms at <n>.<n>.<n>.<n>:<n>'],
    ['no order 3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'no order <uuid>'],
    ['GET https://api.example/v1/users/9?x=1 failed', 'GET <url> failed'],
    ['"status" has wire type 2', '"..." has wire type <n>'],
    ['ada@example.com is blocked since 2026-01-31T08:00:00.123Z', '<email> is blocked since <time>'],
    ['digest deadbeef0123456789 differs', 'digest <hex> differs'],
    ["the job's class is 'Nope'; it's unknown", "the job's class is '...'; it's unknown"],
    ['nothing special', 'nothing special'],
  ])('%s', (error, expected) => {
    expect(normalized(error)).toBe(expected);
  });

  it('takes no longer for long texts', () => {
    for (const text of ['@'.repeat(100_000), 'a'.repeat(100_000), '"'.repeat(99_999), 'a.'.repeat(50_000)]) {
      const start = performance.now();
      normalized(text);
      expect(performance.now() - start).toBeLessThan(200);
    }
  });
});

it('counts each error, the most frequent first, and when it was seen', () => {
  const letter = (offset: number, at: number, error: string) =>
    toLetter(
      { topic: 't.dlq', partition: 0 },
      { offset, key: null, value: null, timestamp: at, headers: { 'sluice.reason': 'dead', 'sluice.error': error } },
      'waiting',
    );
  const letters = [letter(1, 30, 'user 1'), letter(2, 10, 'user 2'), letter(3, 20, 'full'), letter(4, 5, 'user 77')];
  expect(groupLetters(letters)).toMatchObject([
    { error: 'user <n>', count: 3, firstSeen: 5, lastSeen: 30, newest: 't.dlq/0/1' },
    { error: 'full', count: 1 },
  ]);
});
