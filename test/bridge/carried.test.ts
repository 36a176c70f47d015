import { expect, it } from 'vitest';
import { asCarried, asFinished, unfinishedOf } from '../../src/bridge/carried.ts';
import type { KafkaRecord, OutgoingRecord } from '../../src/kafka/consumer.ts';

const record = (offset: number, key: Buffer | null = Buffer.from([0, 255, 7])): KafkaRecord => ({
  offset,
  key,
  value: Buffer.from(`value ${offset}`),
  timestamp: 1_000 + offset,
  headers: { trace: `t-${offset}` },
});

/** As the log would hold them. */
const stored = (outgoing: readonly OutgoingRecord[]): KafkaRecord[] =>
  outgoing.map(({ key, value, headers = {}, timestamp = 0 }, offset) => ({
    offset,
    key: key === null ? null : Buffer.from(key),
    value,
    headers,
    timestamp,
  }));

it('gives carried records back as they were, in the order of their own offsets', () => {
  const log = stored([9, 3].map((offset) => asCarried({ generation: 0, record: record(offset) }, 1)));
  expect(unfinishedOf(log)).toEqual([3, 9].map((offset) => ({ generation: 0, record: record(offset) })));
});

it('keeps a missing key missing', () => {
  const log = stored([asCarried({ generation: 0, record: record(3, null) }, 1)]);
  expect(unfinishedOf(log)).toEqual([{ generation: 0, record: record(3, null) }]);
});

it('leaves out what is finished, what was carried twice once, and what is not ours', () => {
  const log = stored([
    asCarried({ generation: 0, record: record(3) }, 1),
    asCarried({ generation: 0, record: record(3) }, 1),
    asCarried({ generation: 0, record: record(4) }, 1),
    asCarried({ generation: 1, record: record(4) }, 1),
    asFinished(0, 4, 1),
    { key: 'other', value: Buffer.from('x') },
    { key: null, value: Buffer.from('x') },
  ]);
  expect(unfinishedOf(log).map(({ generation, record: { offset } }) => [generation, offset])).toEqual([
    [0, 3],
    [1, 4],
  ]);
});
