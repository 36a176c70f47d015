import type { KafkaMessage } from 'kafkajs';
import { expect, it } from 'vitest';
import { toRecord } from '../../src/kafka/from-client.ts';

const message = { key: null, value: null, timestamp: '1790000000000', attributes: 0, offset: '9007199254740991' };

it('reads offset and time as numbers', () => {
  expect(toRecord({ ...message, headers: {} })).toEqual({
    key: null,
    value: null,
    headers: {},
    timestamp: 1_790_000_000_000,
    offset: 9_007_199_254_740_991,
  });
});

it("takes a header's last value, and none for an empty text: Kafka allows both", () => {
  const headers = { twice: ['a', Buffer.from('b')], none: null, one: Buffer.from('ü') } as unknown;
  const record = toRecord({ ...message, headers: headers as NonNullable<KafkaMessage['headers']> });
  expect(record.headers).toEqual({ twice: 'b', none: '', one: 'ü' });
});
