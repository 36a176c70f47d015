import { expect, test } from 'vitest';
import { LetterTally } from '../../src/cli/status/letters.ts';
import type { KafkaRecord, RecordReader } from '../../src/kafka/consumer.ts';
import { markRecord } from '../../src/kafka/letters/marks.ts';

/** `mark 0 2`: these letters were replayed. */
function markOf(text: string): Pick<KafkaRecord, 'value' | 'headers'> {
  const [, ...offsets] = text.split(' ').map(Number);
  const { value, headers = {} } = markRecord({ topic: 't.dlq', partition: 0 }, 'replayed', offsets);
  return { value, headers };
}

/** A log in memory; `undefined` is an offset without a record, such as the end of a transaction. */
function reading(log: readonly (string | undefined)[]) {
  const asked: number[] = [];
  const record = (offset: number, reason: string): KafkaRecord => ({
    offset,
    key: null,
    timestamp: 0,
    ...(reason.startsWith('mark') ? markOf(reason) : { value: null, headers: { 'sluice.reason': reason } }),
  });
  const reader: RecordReader = {
    start: async () => undefined,
    stop: async () => undefined,
    next: async () => log.length,
    async read(_topic, _partition, from) {
      asked.push(from);
      const records = log.flatMap((reason, offset) => (reason === undefined ? [] : [record(offset, reason)]));
      return records.filter(({ offset }) => offset >= from).slice(0, 2);
    },
  };
  return { tally: new LetterTally(reader), asked };
}

const at = (low: number, high: number) => [['t.dlq/0', { low, high }]] as const;

test('tells dead jobs from rejected records, and takes nothing else for a letter', async () => {
  const { tally } = reading(['dead', 'mark', undefined, 'undecodable', 'dead', undefined]);
  expect(await tally.count('t.dlq', at(0, 6))).toEqual({ held: 3, waiting: 3, dead: 2, rejected: 1 });
});

test('a later look reads what is new, and forgets what Kafka has deleted', async () => {
  const log = ['dead', 'invalid', 'dead'];
  const { tally, asked } = reading(log);
  expect(await tally.count('t.dlq', at(0, 3))).toEqual({ held: 3, waiting: 3, dead: 2, rejected: 1 });
  asked.length = 0;
  log.push('dead');
  expect(await tally.count('t.dlq', at(2, 4))).toEqual({ held: 2, waiting: 2, dead: 2, rejected: 0 });
  expect(asked).toEqual([3]);
});

test('of many letters the newest are read, and all are counted', async () => {
  const { tally, asked } = reading(Array(2_500).fill('dead'));
  expect(await tally.count('t.dlq', at(0, 2_500))).toEqual({ held: 2_500, waiting: 2_500, dead: 2_000, rejected: 0 });
  expect(asked[0]).toBe(500);
});

test('two looks at once read once', async () => {
  const { tally } = reading(['dead', 'dead', 'dead']);
  const both = await Promise.all([tally.count('t.dlq', at(0, 3)), tally.count('t.dlq', at(0, 3))]);
  expect(both).toEqual(Array(2).fill({ held: 3, waiting: 3, dead: 3, rejected: 0 }));
});

test('letters that cannot be read leave the rest of the status alone', async () => {
  const { tally } = reading([]);
  const broken = new LetterTally({ ...({} as RecordReader), read: () => Promise.reject(new Error('no such topic')) });
  expect(await broken.count('t.dlq', at(0, 3))).toBeUndefined();
  expect(await tally.count('t.dlq', [])).toEqual({ held: 0, waiting: 0, dead: 0, rejected: 0 });
});

test('those that were replayed or purged are held, and wait no more', async () => {
  const { tally } = reading(['dead', 'dead', 'invalid', 'mark 0 2', undefined]);
  expect(await tally.count('t.dlq', at(0, 5))).toEqual({ held: 3, waiting: 1, dead: 1, rejected: 0 });
});
