import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { defineWorker } from '../../src/index.ts';
import { perform } from '../../src/testing.ts';

const proto = [fileURLToPath(new URL('../../proto', import.meta.url))];

it('hands the arguments over as they would come from Ruby', async () => {
  const seen: unknown[] = [];
  const worker = defineWorker<[number, bigint, object]>({
    sidekiq: 'HardJob',
    run: (args, { attempt, key, eventId }) => void seen.push(args, attempt, key, eventId),
  });
  const { outcome } = await perform(worker, [1.5, 9007199254740993n, { a: [] }], { attempt: 3, key: 'k', id: 'e' });
  expect(outcome).toEqual({ kind: 'done' });
  expect(seen).toEqual([[1.5, 9007199254740993n, { a: [] }], 3, 'k', 'e']);
});

it.each([undefined, 'json', 'base64', 'fields'] as const)('makes the arguments of a message: %s', async (form) => {
  const seen: unknown[] = [];
  const worker = defineWorker('acme.web.v1.PageView', {
    sidekiq: 'View',
    ...(form !== undefined && { arguments: form }),
    run: (view) => void seen.push(view),
  });
  const view = { url: 'https://x/1', bytes: 9007199254740993n };
  expect((await perform(worker, view, { proto })).outcome).toEqual({ kind: 'done' });
  expect(seen).toEqual([expect.objectContaining({ ...view, title: '' })]);
});

it('refuses what does not fit the message, and what is no value of JSON', async () => {
  const worker = defineWorker('acme.web.v1.PageView', { sidekiq: 'View', run: () => undefined });
  await expect(perform(worker, { urll: 'x' } as object, { proto })).rejects.toThrow('did you mean "url"');
  const plain = defineWorker({ sidekiq: 'HardJob', run: () => undefined });
  await expect(perform(plain, [undefined])).rejects.toThrow('args[0]: undefined is not allowed');
});
