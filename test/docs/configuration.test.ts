import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { configurationPage } from '../../tools/configuration.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

test('the page of the configuration is current; else run: node --conditions=sluice-source tools/configuration.ts', () => {
  expect(page).toBe(configurationPage());
});

test('every setting says what it means', () => {
  const silent = page.split('\n').filter((line) => /^\| `(?!kafka\.(sasl|ssl)\.).*\| {2}\|$/.test(line));
  expect(silent).toEqual([]);
});
