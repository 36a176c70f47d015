import { expect, it } from 'vitest';
import { valueText } from '../../src/job/sidekiq-values.ts';

const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };

function nested(levels: number): unknown {
  return levels === 0 ? 1 : [nested(levels - 1)];
}

it.each([
  [null, 'null'],
  [true, 'true'],
  [0, '0'],
  [-0, '0'],
  [1.5, '1.5'],
  [1e21, '1e+21'],
  [9_007_199_254_740_993n, '9007199254740993'],
  [-(2n ** 70n), '-1180591620717411303424'],
  ['ü\u2028"\\\u0000😀', JSON.stringify('ü\u2028"\\\u0000😀')],
  [[], '[]'],
  [{}, '{}'],
  [Object.create(null), '{}'],
  [[[], [{}], 'a', null], '[[],[{}],"a",null]'],
  [{ b: { c: [1] }, 'a b': 2, __proto__: null }, '{"b":{"c":[1]},"a b":2}'],
  [JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
  [[rawJSON('1.0'), { price: rawJSON('1e2') }], '[1.0,{"price":1e2}]'],
])('%o is written as %s', (value, text) => {
  expect(valueText(value, 'args')).toBe(text);
});

class Money {}

it.each([
  [undefined, 'args: undefined is not allowed; allowed: text, a finite number, a bigint'],
  [[1, undefined], 'args[1]: undefined'],
  [Array(2), 'args[0]: undefined'],
  [[{ price: { net: Number.NaN } }], 'args[0].price.net: the number NaN'],
  [[Number.POSITIVE_INFINITY], 'args[0]: the number Infinity'],
  [[() => 1], 'args[0]: a function'],
  [[Symbol('s')], 'args[0]: a symbol'],
  [[new Date(0)], 'args[0]: an object of Date'],
  [[new Map()], 'args[0]: an object of Map'],
  [[Buffer.from('x')], 'args[0]: an object of Buffer'],
  [[new Money()], 'args[0]: an object of Money'],
  [[Object(1n)], 'args[0]: an object of BigInt'],
  [[{ [Symbol('s')]: 1 }], 'args[0]: a member that is named by a symbol'],
  [['\ud800'], 'args[0]: text with half a surrogate pair'],
  [[{ '\ud800': 1 }], 'args[0]: a member whose name holds half a surrogate pair'],
])('%o is refused', (value, words) => {
  expect(() => valueText(value, 'args')).toThrow(words);
  expect(() => valueText(value, 'args')).toThrow(expect.objectContaining({ code: 'INVALID_MESSAGE' }));
});

it('is nested as deep as Ruby reads, and never for ever', () => {
  expect(() => valueText(nested(100), 'args')).not.toThrow();
  expect(() => valueText(nested(102), 'args')).toThrow('a nesting of more than 100 levels');
  const loop: unknown[] = [];
  loop.push(loop);
  expect(() => valueText(loop, 'args')).toThrow('a nesting of more than 100 levels');
});
