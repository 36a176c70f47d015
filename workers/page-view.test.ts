import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { perform } from 'sluice/testing';
import worker from './page-view.ts';

const proto = [fileURLToPath(new URL('../proto', import.meta.url))];

test('a page view reaches the collector with its time and its visitor', async () => {
  const view = {
    url: 'https://shop.example/',
    userAgent: 'Firefox',
    address: '198.51.100.7',
    occurredAt: '2026-01-31T12:00:00.5Z',
  };
  const { outcome, collected } = await perform(worker, view, { proto });
  assert.equal(outcome.kind, 'done');
  assert.deepEqual(collected, [
    { e: 'pv', dtm: '1769860800500', url: 'https://shop.example/', ua: 'Firefox', ip: '198.51.100.7' },
  ]);
});
