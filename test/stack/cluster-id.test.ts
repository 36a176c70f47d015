import { expect, it } from 'vitest';
import { newClusterId } from '../../stack/native.ts';

it('makes ids that Kafka takes, and its tool takes for no option', () => {
  for (let i = 0; i < 1_000; i++) expect(newClusterId()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
});
