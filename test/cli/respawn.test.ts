import { expect, test } from 'vitest';
import { failuresInARow, respawnDelay } from '../../src/cli/respawn.ts';

test('the first restart comes within half a second, later ones up to 30 s', () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 20].map((failures) => respawnDelay(failures, () => 1));
  expect(longest).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  expect(respawnDelay(1, () => 0)).toBe(250);
});

test('a child that worked for a second counts anew, one that did not goes on counting', () => {
  expect(failuresInARow(7, 1_000)).toBe(1);
  expect(failuresInARow(7, 999)).toBe(8);
  expect(failuresInARow(7, undefined)).toBe(8);
});
