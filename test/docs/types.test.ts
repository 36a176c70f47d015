import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { loadSchemas } from '../../src/schema/load.ts';
import { typesText } from '../../src/schema/types.ts';

const inClone = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test('the types in the clone are current; else run: npm run sluice -- types', () => {
  const schemas = loadSchemas([inClone('proto'), inClone('workers')]);
  expect(readFileSync(inClone('sluice-types.d.ts'), 'utf8')).toBe(typesText(schemas));
});
