/** Which jobs are lost: those that a ledger waits for and nobody has seen. */
import { expect, it } from 'vitest';
import { RangeSet } from '../../src/bridge/range-set.ts';
import { byPrefix, lostFrom, type Suspect, see } from '../../src/bridge/suspects.ts';
import { groupMark, idOfGroup } from '../../src/job/identity.ts';

function suspect(partition: number, finished: readonly { start: number; end: number }[] = []): Suspect {
  const held = { topic: 't', partition, generation: 1 };
  const of = { claim: { ledger: { group: 'g' } }, finished: new RangeSet(finished) };
  return { held, of, sink: {}, seen: new RangeSet(), end: 10 } as unknown as Suspect;
}

const id = (partition: number, offset: number | string, group = 'g', generation = 1) =>
  idOfGroup(`k~t~${generation}~${partition}~${offset}`, groupMark(group));

it('takes a job for that of its own partition, generation and group alone', () => {
  const [first, second] = [suspect(0), suspect(1)];
  const all = byPrefix([first, second]);
  expect(see(all, id(0, 3))).toEqual({ suspect: first, offset: 3 });
  expect(see(all, id(1, 4))).toEqual({ suspect: second, offset: 4 });
  const others = [id(2, 5), id(0, 5, 'h'), id(0, 5, 'g', 0), id(0, 'x'), 'k~t~1~0~5', 'else', ''];
  for (const other of others) expect(see(all, other)).toBeUndefined();
  expect(lostFrom(first, 0, 20)).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
});

it('answers a few at a time, without what has been finished meanwhile', () => {
  const some = suspect(0, [{ start: 2, end: 5 }]);
  expect(lostFrom(some, 0, 3)).toEqual([0, 1, 5]);
  expect(lostFrom(some, 6, 3)).toEqual([6, 7, 8]);
  expect(lostFrom(some, 9, 3)).toEqual([9]);
  expect(lostFrom(some, 10, 3)).toEqual([]);
});
