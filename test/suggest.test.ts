import { expect, test } from 'vitest';
import { didYouMean, suggestion } from '../src/suggest.ts';

test.each([
  ['emial', ['userId', 'email'], 'email'],
  ['Eamil', ['userId', 'email'], 'email'],
  ['user', ['userId'], undefined],
  ['grupId', ['groupId', 'brokers'], 'groupId'],
  ['ab', ['ba'], 'ba'],
  ['abc', ['cab'], undefined],
  ['closAt', ['openAt', 'closeAt'], 'closeAt'],
  ['a'.repeat(201), ['a'.repeat(200)], undefined],
])('%s among %j: %s', (word, candidates, meant) => {
  expect(didYouMean(word, candidates)).toBe(meant);
});

test('says nothing when nothing is near', () => {
  expect(suggestion('emial', ['email'])).toBe('; did you mean "email"?');
  expect(suggestion('queue', ['email'])).toBe('');
});
