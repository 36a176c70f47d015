/** The container's Kafka and the native one are set alike: tests and demo rely on it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { brokerProperties } from '../../stack/native.ts';

/** Where a broker keeps its files and is reached differs by nature. */
const PLACES = /^(process\.roles|node\.id|log\.dirs|listeners|advertised\.listeners|controller\..*)=/;

test('compose.yaml sets the broker as the native start does', () => {
  const compose = readFileSync(new URL('../../compose.yaml', import.meta.url), 'utf8');
  const inContainer = [...compose.matchAll(/^ +KAFKA_(\w+): "?([^"\n]*)"?$/gm)].map(
    ([, name = '', value]) => `${name.toLowerCase().replaceAll('_', '.')}=${value}`,
  );
  const native = brokerProperties('', 0, 0)
    .split('\n')
    .filter((line) => /^[a-z]/.test(line) && !PLACES.test(line));
  expect(native.length).toBeGreaterThan(5);
  expect(inContainer).toEqual(expect.arrayContaining(native));
});
