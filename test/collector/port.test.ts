import { expect, it } from 'vitest';
import { portFor } from '../../src/collector/port.ts';
import { verdictOf } from '../../src/collector/verdict.ts';

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
});

it('reads Retry-After as seconds and as a date', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  expect(verdictOf(503, '7', now)).toEqual({ kind: 'retry', afterMs: 7_000 });
  expect(verdictOf(503, 'Sat, 31 Jan 2026 12:00:05 GMT', now)).toEqual({ kind: 'retry', afterMs: 5_000 });
  expect(verdictOf(503, 'Sat, 31 Jan 2026 11:00:00 GMT', now)).toEqual({ kind: 'retry', afterMs: 0 });
  expect(verdictOf(503, 'soon', now)).toEqual({ kind: 'retry' });
});
