import { expect, it } from 'vitest';
import { readOptions } from '../../faults/options.ts';

it('has a seed, ten minutes and a modest load when nothing is said', () => {
  expect(readOptions([])).toMatchObject({ seed: 1, minutes: 10, rate: 200, only: [], json: false });
});

it('takes kinds by comma, and several times', () => {
  expect(readOptions(['--only', 'a,b', '--only', 'c']).only).toEqual(['a', 'b', 'c']);
});

it.each([
  ['--seed', '1.5', 'a whole number from 0'],
  ['--minutes', 'x', 'a number from 0.1'],
  ['--minutes', '0', 'a number from 0.1'],
  ['--rate', '', 'a whole number from 1'],
])('refuses %s "%s"', (name, text, allowed) => {
  expect(() => readOptions([name, text])).toThrow(`${name}: "${text}" is not allowed; allowed: ${allowed}`);
});

it('refuses what it does not know', () => {
  expect(() => readOptions(['--minute', '1'])).toThrow('--minute');
});
