import { expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { Roll } from '../../src/worker/roll.ts';

it('holds what a map holds, whatever comes and goes', () => {
  const random = createRandom(3);
  const next = (below: number) => Math.floor(random() * below);
  const [roll, map] = [new Roll<{ n: number }>(), new Map<string, { n: number }>()];
  for (let n = 0; n < 5_000; n++) {
    const id = `job-${next(40)}`;
    if (next(2) === 0) {
      roll.set(id, { n });
      map.set(id, { n });
    } else {
      roll.delete(id);
      map.delete(id);
    }
    expect(roll.get(id)).toEqual(map.get(id));
    expect(roll.size).toBe(map.size);
  }
  const byNumber = (values: Iterable<{ n: number }>) => [...values].sort((a, b) => a.n - b.n);
  expect(byNumber(roll.values())).toEqual(byNumber(map.values()));
});
