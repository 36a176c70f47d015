import { expect, it } from 'vitest';
import { objectText, textOf } from '../../src/job/json-members.ts';

it.each([
  ['{}', {}, 1],
  [' {\n "a" : 1.0 , "b":"x\\"}\\\\" ,"c":[ ] } ', { a: '1.0', b: '"x\\"}\\\\"', c: '[ ]' }, 2],
  ['{"a":{"b":[{"c":"]}"}]},"d":null,"e":-1e+5}', { a: '{"b":[{"c":"]}"}]}', d: 'null', e: '-1e+5' }, 4],
  ['{"\\u0061":true,"a":false}', { a: 'false' }, 1],
  ['{"":"","\\"":1}', { '': '""', '"': '1' }, 1],
])('cuts %s at its members', (text, members, depth) => {
  const found = objectText(text);
  expect(Object.fromEntries(found.members)).toEqual(members);
  expect(found.depth).toBe(depth);
});

/** A generator of its own: what fails is found again. */
function random(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function value(next: (below: number) => number, depth: number): unknown {
  const kinds = depth > 4 ? 4 : 6;
  const made = [
    () => next(1_000_000) / 8,
    () => '"\\{}[],: \n\u2028é🦊'.slice(next(8), 8 + next(6)),
    () => null,
    () => next(2) === 0,
    () => Array.from({ length: next(4) }, () => value(next, depth + 1)),
    () => Object.fromEntries(Array.from({ length: next(4) }, (_, i) => [`k${i}"\\`, value(next, depth + 1)])),
  ];
  return (made[next(kinds)] as () => unknown)();
}

it('reads the same as JSON.parse, and writes what reads the same', () => {
  const next = random(7);
  for (let i = 0; i < 3_000; i++) {
    const object = { a: value(next, 0), b: value(next, 0), 'c"}': value(next, 0) };
    const text = JSON.stringify(object, undefined, next(3));
    const { members } = objectText(text);
    expect(Object.fromEntries([...members].map(([name, json]) => [name, JSON.parse(json)]))).toEqual(object);
    expect(JSON.parse(textOf(members))).toEqual(object);
  }
});
