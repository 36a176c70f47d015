import { expect, it } from 'vitest';
import { portFor } from '../../src/collector/port.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function idsOf(eventId: string): Promise<string[]> {
  const ids: string[] = [];
  const port = portFor({ track: async (_fields, id) => void ids.push(id) }, eventId);
  for (let i = 0; i < 3; i++) await port.track({ e: 'pv' });
  return ids;
}

it('gives each event of a job an id of its own, the same at every attempt', async () => {
  const id = '0fdbc2e9-8a1d-4ee3-a734-a22131121c89';
  const ids = await idsOf(id);
  expect(ids[0]).toBe(id);
  expect(new Set(ids).size).toBe(3);
  expect(await idsOf(id)).toEqual(ids);
});

it('makes UUIDs of event ids that are none', async () => {
  for (const id of await idsOf('order-17')) expect(id).toMatch(UUID);
  for (const id of await idsOf('00000000-0000-0000-0000-000000000000')) expect(id).toMatch(UUID);
});

it('gives every event the signal of its attempt', async () => {
  const { signal } = new AbortController();
  const signals: unknown[] = [];
  await portFor({ track: async (_fields, _id, given) => void signals.push(given) }, 'a', signal).track({ e: 'pv' });
  expect(signals).toEqual([signal]);
});

it('lets a worker forget to await, without ending the process', async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  const port = portFor({ track: () => Promise.reject(new Error('refused')) }, 'a');
  void port.track({ e: 'pv' });
  await expect(port.track({ e: 'pv' })).rejects.toThrow('refused');
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', listener);
  expect(unhandled).toEqual([]);
});
