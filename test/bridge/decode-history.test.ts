/** What was replayed keeps its identity, whatever its topic's records are. */
import { expect, it } from 'vitest';
import { topicConfig } from '../../src/bridge/config.ts';
import { createDecoder } from '../../src/bridge/decode.ts';
import { rebuild } from '../../src/bridge/rebuild.ts';
import { encodeEnvelope } from '../../src/schema/envelope.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { ROOT } from '../support/sluice.ts';

const schemas = loadSchemas([`${ROOT}proto`]);
const TYPE = 'acme.web.v1.PageView';
const codec = schemas.codec(TYPE);
const payload = codec.encode({ url: 'https://x/1' });
const HEADERS = { 'sluice.event-id': 'e-1', 'sluice.replayed': '1', trace: 't' };

const VALUES = {
  envelope: Buffer.from(encodeEnvelope({ type: TYPE, payload })),
  protobuf: Buffer.from(payload),
  json: Buffer.from('{"url":"https://x/1"}'),
};

function decoded(record: 'envelope' | 'protobuf' | 'json', value: Buffer, headers: Readonly<Record<string, string>>) {
  const topic = topicConfig.parse({ record, message: TYPE });
  const found = createDecoder(topic, schemas)({ offset: 7, key: null, value, timestamp: 5, headers });
  if ('reason' in found) throw new Error(found.error);
  return found.event;
}

it.each(['envelope', 'protobuf', 'json'] as const)('keeps the event id of a replayed %s record', (record) => {
  const event = decoded(record, VALUES[record], HEADERS);
  expect(event.id).toBe('e-1');
  expect(event.headers).toMatchObject({ 'sluice.event-id': 'e-1', 'sluice.replayed': '1' });
  expect(decoded(record, VALUES[record], {}).id).toBeUndefined();
});

it("lets an envelope's own id win", () => {
  const value = Buffer.from(encodeEnvelope({ type: TYPE, payload, id: 'own' }));
  expect(decoded('envelope', value, HEADERS).id).toBe('own');
});

const REPORT = {
  queue: 'mail',
  name: TYPE,
  data: '{"url":"https://x/1"}',
  about: { key: 'user-1', id: 'e-9', headers: { trace: 't', 'sluice.replayed': '2' } },
  reason: '',
  stack: '',
  attempts: 1,
  createdAt: 1_700_000_000_000,
  failedAt: 0,
};

it.each(['envelope', 'protobuf', 'json'] as const)('reads a rebuilt record in a topic of %s', (record) => {
  const { key, value, headers = {} } = rebuild(REPORT, schemas);
  expect([key, headers]).toEqual(['user-1', { trace: 't', 'sluice.replayed': '2', 'sluice.rebuilt': 'true' }]);
  const event = decoded(record, value as Buffer, headers);
  expect(event).toMatchObject({ type: TYPE, id: 'e-9', key: 'user-1', queue: 'mail', createdAt: 1_700_000_000_000 });
  expect(JSON.parse(event.json)).toEqual({ url: 'https://x/1' });
});

it('keeps data that fits no type as it is', () => {
  for (const change of [{ data: '{"nope":1}' }, { data: 'not JSON' }, { name: 'acme.Unknown' }]) {
    const { value, headers } = rebuild({ ...REPORT, ...change }, schemas);
    expect(String(value)).toBe(change.data ?? REPORT.data);
    expect(headers?.['sluice.rebuilt']).toBe('data');
  }
});
