import { expect, it } from 'vitest';
import { aboutIn, aboutInText } from '../../src/job/options.ts';

const ABOUT = { key: 'k', id: '7d9d1d5c-3a80-4b1c-9d0e-1f1f1f1f1f1f', headers: { a: '"sl":{"key":"x"}' } };

it.each<[string, unknown]>([
  ['last, as Sluice writes it', { attempts: 3, sl: ABOUT }],
  ['first', { sl: ABOUT, attempts: 3 }],
  ['alone', { sl: { key: 'k' } }],
  ['not there', { attempts: 3, backoff: { type: 'fixed' } }],
  ['of another kind', { sl: 'text' }],
  ['null', { sl: null }],
  ['an option of an option', { a: { sl: ABOUT } }],
  ['there twice, of which one is deeper', { a: { sl: { key: 'deep' } }, sl: ABOUT }],
  ['spelt in a value', { name: '"sl":{"key":"x"}}' }],
])('what rides in the stored options is what rides in the parsed ones: %s', (_, options) => {
  const text = JSON.stringify(options);
  expect(aboutInText(text)).toEqual(aboutIn(JSON.parse(text)));
});

it.each([undefined, '', '{', '{"sl":', '{"sl":}', '[]', '"sl":{}'])('%s tells nothing of its job', (text) => {
  expect(aboutInText(text)).toBe(undefined);
});
