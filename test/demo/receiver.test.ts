/** The receiver is what says that the demo's events have arrived: it must not be easy to please. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../../src/faults/receiver.ts';

const PATH = '/com.snowplowanalytics.snowplow/tp2';
const SCHEMA = 'iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4';
const id = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const item = (change: object = {}) => ({
  tv: 't-1',
  p: 'srv',
  e: 'pv',
  eid: id(1),
  dtm: '1769860800500',
  stm: '1769860800600',
  url: 'https://x.example/',
  ...change,
});

let dir: string;
let receiver: Receiver;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-receiver-'));
  receiver = await startReceiver({ dump: join(dir, 'dump') });
});
afterEach(async () => {
  await receiver.stop();
  rmSync(dir, { recursive: true });
});

interface Change {
  readonly path?: string;
  readonly method?: string;
  readonly type?: string;
  readonly body?: string;
}

async function post(
  data: unknown,
  { path = PATH, method = 'POST', type = 'application/json; charset=utf-8', body }: Change = {},
) {
  const response = await fetch(receiver.url + path, {
    method,
    headers: { 'content-type': type },
    ...(method !== 'GET' && { body: body ?? JSON.stringify({ schema: SCHEMA, data }) }),
  });
  return { status: response.status, text: await response.text() };
}

it('accepts what the protocol allows, and counts events and their ids', async () => {
  expect(await post([item(), item({ eid: id(2) })])).toEqual({ status: 200, text: 'ok' });
  expect((await post([item({ stm: '1769860999999' })])).status).toBe(200);
  expect([receiver.total, receiver.distinct, receiver.refused]).toEqual([3, 2, 0]);
});

it('knows so many again as it is told to remember, and keeps no more than twice as many', async () => {
  await receiver.stop();
  receiver = await startReceiver({ remembers: 2 });
  const eids = [1, 2, 3];
  for (const n of eids) await post([item({ eid: id(n) })]);
  expect(receiver.distinct).toBe(3);
  await post([item({ eid: id(2) }), item({ eid: id(3) })]);
  expect(receiver.distinct).toBe(3);
  await post([item({ eid: id(4) }), item({ eid: id(5) }), item({ eid: id(6) })]);
  await post([item({ eid: id(1) })]);
  expect(receiver.distinct).toBe(7);
});

it('writes what it has accepted', async () => {
  await post([item(), item({ eid: id(2) })]);
  await post([item({ e: 'x' })]);
  await receiver.stop();
  const lines = readFileSync(join(dir, 'dump'), 'utf8').trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([item(), item({ eid: id(2) })]);
});

it.each([
  ['a number', { ip: 5 }, /ip is a number/],
  ['nothing', { ip: null }, /ip is a object/],
  ['an empty value', { ip: '' }, /ip is empty/],
  ['an unknown property', { urll: 'x' }, /unknown property urll/],
  ['an unknown kind', { e: 'view' }, /e is view/],
  ['no id', { eid: undefined }, /eid is missing/],
  ['an id that is no UUID', { eid: '17' }, /eid is 17/],
  ['no time of sending', { stm: undefined }, /stm is missing/],
  ['no tracker', { tv: undefined }, /tv is missing/],
  ['seconds', { dtm: '1769860800' }, /dtm is 1769860800/],
])('refuses %s', async (_name, change, reason) => {
  const { status, text } = await post([item({ eid: id(9) }), item(change)]);
  expect(status).toBe(422);
  expect(text).toMatch(reason);
  expect([receiver.total, receiver.distinct, receiver.refused]).toEqual([0, 0, 1]);
});

it('refuses an id that was another event before', async () => {
  await post([item()]);
  expect((await post([item({ url: 'https://y.example/' })])).text).toMatch(/was another event before/);
  expect(receiver.total).toBe(1);
});

it.each<[string, Change]>([
  ['another path', { path: '/' }],
  ['a query', { path: `${PATH}?x=1` }],
  ['GET', { method: 'GET' }],
  ['another content type', { type: 'text/plain' }],
  ['what is no JSON', { body: '{' }],
  ['null', { body: 'null' }],
  ['another schema', { body: JSON.stringify({ schema: SCHEMA.replace('1-0-4', '1-0-3'), data: [item()] }) }],
  ['further members', { body: JSON.stringify({ schema: SCHEMA, data: [item()], more: 1 }) }],
  ['no events', { body: JSON.stringify({ schema: SCHEMA, data: [] }) }],
  ['events that are none', { body: JSON.stringify({ schema: SCHEMA, data: [[]] }) }],
  [
    'more than two megabytes',
    { body: JSON.stringify({ schema: SCHEMA, data: [item({ page: 'x'.repeat(2_097_152) })] }) },
  ],
])('refuses %s', async (_name, change) => {
  const { status } = await post([item()], change);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(receiver.total).toBe(0);
});
