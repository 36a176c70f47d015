import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { asCarried, asFinished, unfinishedOf, wholeLog } from '../../src/bridge/carried.ts';
import type { KafkaRecord, OutgoingRecord } from '../../src/kafka/consumer.ts';
import type { LetterSource } from '../../src/kafka/letters/survey.ts';

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

/** As a reader would bring it, in several batches. */
async function* inBatches(log: readonly KafkaRecord[], size = 2) {
  for (let from = 0; from < log.length; from += size) yield log.slice(from, from + size);
}

it('gives carried records back as they were, in the order of their own offsets', async () => {
  const log = stored([9, 3].map((offset) => asCarried({ generation: 0, record: record(offset) }, 1)));
  expect(await unfinishedOf(inBatches(log))).toEqual(
    [3, 9].map((offset) => ({ generation: 0, record: record(offset) })),
  );
});

it('keeps a missing key missing', async () => {
  const log = stored([asCarried({ generation: 0, record: record(3, null) }, 1)]);
  expect(await unfinishedOf(inBatches(log))).toEqual([{ generation: 0, record: record(3, null) }]);
});

it('leaves out what is finished, what was carried twice once, and what is not ours', async () => {
  const log = stored([
    asCarried({ generation: 0, record: record(3) }, 1),
    asCarried({ generation: 0, record: record(3) }, 1),
    asCarried({ generation: 0, record: record(4) }, 1),
    asCarried({ generation: 1, record: record(4) }, 1),
    asFinished(0, 4, 1),
    { key: 'other', value: Buffer.from('x') },
    { key: null, value: Buffer.from('x') },
  ]);
  expect(
    (await unfinishedOf(inBatches(log))).map(({ generation, record: { offset } }) => [generation, offset]),
  ).toEqual([
    [0, 3],
    [1, 4],
  ]);
});

it('keeps of a log only what is not finished while it reads', async () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const values: WeakRef<object>[] = [];
  let kept: number | undefined;
  async function* log() {
    for (let offset = 0; offset < 20; offset++) {
      const value = Buffer.alloc(100_000);
      values.push(new WeakRef(value));
      const carried = { generation: 0, record: { ...record(offset), value } };
      yield stored([asCarried(carried, 1), asFinished(0, offset, 1)]);
    }
    // A reference that was made in this turn of the loop holds until its end.
    await new Promise(setImmediate);
    collectGarbage();
    kept = values.filter((value) => value.deref() !== undefined).length;
  }
  expect(await unfinishedOf(log())).toEqual([]);
  expect(kept).toBeLessThan(3);
});

/** A log of 20 offsets with records up to 17, behind them marks of transactions; fetches go to `end`. */
async function offsetsRead(end: number) {
  const source = {
    admin: { bounds: async () => new Map([['c/1', { low: 5, high: 20 }]]) },
    reader: {
      read: async (_topic: string, _partition: number, from: number) =>
        [5, 9, 17].filter((offset) => offset >= from && offset < end).map((offset) => record(offset)),
      next: async () => ({ offset: end, isRecord: false }),
    },
  };
  const read: number[] = [];
  for await (const records of wholeLog(source as unknown as LetterSource, { topic: 'c', partition: 1 }))
    read.push(...records.map(({ offset }) => offset));
  return read;
}

it('reads a log to its end, also where marks of transactions stand there', async () => {
  expect(await offsetsRead(20)).toEqual([5, 9, 17]);
});

it.each([0, 10, 19])('is not content with a leader that answers fetches up to %i of 20', async (end) => {
  await expect(offsetsRead(end)).rejects.toThrow(`c/1 is read to ${end}, and ends at 20`);
});
