import { expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { Roll } from '../../src/worker/roll.ts';

it('holds what a map holds, whatever comes and goes', () => {
  const random = createRandom(3);
  const next = (below: number) => Math.floor(random() * below);
  const [roll, map] = [new Roll<{ n: number }>(), new Map<string, { n: number }>()];
  for (let n = 0; n < 30_000; n++) {
    const id = `job-${next(40)}`;
    if (next(2) === 0) {
      const value = { n };
      roll.set(id, value);
      map.set(id, value);
    } else {
      roll.delete(id);
      map.delete(id);
    }
    if (roll.get(id) !== map.get(id) || roll.size !== map.size) expect.fail(`other than a map after ${n} steps`);
  }
  const byNumber = (values: Iterable<{ n: number }>) => [...values].sort((a, b) => a.n - b.n);
  expect(byNumber(roll.values())).toEqual(byNumber(map.values()));
});
