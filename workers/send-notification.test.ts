import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { perform } from 'sluice/testing';
import worker from './send-notification.ts';

const proto = [fileURLToPath(new URL('../proto', import.meta.url))];
const notification = { userId: 7n, channel: 'CHANNEL_EMAIL', address: 'ada@example.com', subject: 'Hello' } as const;

test('a notification is sent and reported', async () => {
  const { outcome, collected } = await perform(worker, notification, { proto });
  assert.equal(outcome.kind, 'done');
  assert.equal(collected[0]?.se_la, 'CHANNEL_EMAIL');
});

test('what can never work is dead at once', async () => {
  assert.equal((await perform(worker, { ...notification, address: '' }, { proto })).outcome.kind, 'dead');
  assert.equal((await perform(worker, { address: 'ada@example.com' }, { proto })).outcome.kind, 'dead');
});

test('a message that does not fit its schema is refused with the field named', async () => {
  const misspelt = { ...notification, adress: 'x' };
  await assert.rejects(perform(worker, misspelt, { proto }), /adress: .* did you mean "address"/);
});
