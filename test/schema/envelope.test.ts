import { describe, expect, it } from 'vitest';
import { decodeEnvelope, encodeEnvelope } from '../../src/schema/envelope.ts';
import { unframe } from '../../src/schema/framing.ts';
import { schemas } from './protos.ts';

describe('the envelope', () => {
  const envelope = {
    type: 'a.B',
    payload: Buffer.from([1, 2, 3]),
    id: 'id',
    key: 'key',
    runAt: 1_790_000_000_123,
    createdAt: -5,
    attempts: 4_000_000_000,
    priority: 2_097_151,
    headers: { a: 'b', c: '' },
    queue: 'q',
  };

  it('comes back as it was written', () => {
    expect(decodeEnvelope(Buffer.from(encodeEnvelope(envelope)))).toEqual(envelope);
  });

  it('is what its .proto says', () => {
    expect(schemas.codec('sluice.v1.Job').decode(encodeEnvelope(envelope))).toMatchObject({
      type: 'a.B',
      runAt: '2026-09-21T14:13:20.123Z',
      createdAt: '1969-12-31T23:59:59.995Z',
      attempts: 4_000_000_000,
      headers: { a: 'b', c: '' },
      queue: 'q',
    });
  });

  it.each([
    [Buffer.alloc(0), /names no message type/],
    [Buffer.from([0x12, 0x05, 0x41]), /end within a field/],
    [Buffer.from([0x12, 0x01, 0xff]), /not UTF-8/],
    [Buffer.from([0x10, 0x01]), /field 2 of the envelope has wire type 0/],
    [
      Buffer.from(encodeEnvelope({ type: 'a.B', payload: Buffer.alloc(0), priority: 2_097_152 })),
      /^priority: 2097152 is not allowed/,
    ],
  ])('refuses %o', (bytes, message) => {
    expect(() => decodeEnvelope(bytes)).toThrow(message);
  });

  it('passes over fields of later versions', () => {
    const later = Buffer.concat([
      encodeEnvelope({ type: 'a.B', payload: Buffer.alloc(0) }),
      Buffer.from([0x5a, 0x01, 0x41]),
    ]);
    expect(decodeEnvelope(later).type).toBe('a.B');
  });
});

describe('the registry framing', () => {
  it.each([
    ['the short form', [0, 0, 0, 0, 7, 0, 0x0a], { schemaId: 7, indexes: [0], body: Buffer.from([0x0a]) }],
    ['a path', [0, 0, 0, 1, 0, 4, 2, 4, 0x0a], { schemaId: 256, indexes: [1, 2], body: Buffer.from([0x0a]) }],
  ])('is taken off: %s', (_name, bytes, framed) => {
    expect(unframe(Buffer.from(bytes))).toEqual(framed);
  });

  it.each([[[0x0a, 0x01, 0x41]], [[0, 0, 0]], [[0, 0, 0, 0, 7, 0x80]], [[0, 0, 0, 0, 7, 0x7f]]])(
    'is not seen in %o',
    (bytes) => {
      expect(unframe(Buffer.from(bytes))).toBeUndefined();
    },
  );
});
