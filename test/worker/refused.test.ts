import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defineWorker, SluiceError } from '../../src/index.ts';
import { perform } from '../../src/testing.ts';

const proto = [fileURLToPath(new URL('../../proto', import.meta.url))];

it.each([
  ['COLLECTOR_REFUSED', 'dead'],
  ['COLLECTOR_UNAVAILABLE', 'retry'],
  ['STOPPED', 'retry'],
] as const)('%s from the collector: %s', async (code, kind) => {
  const worker = defineWorker('acme.web.v1.PageView', {
    run: () => {
      throw new SluiceError(code, 'as the collector says');
    },
  });
  const { outcome } = await perform(worker, { url: 'https://shop.example/' }, { proto });
  expect(outcome).toMatchObject({ kind, reason: 'as the collector says' });
});
