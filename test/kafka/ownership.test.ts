import type { EachBatchPayload } from 'kafkajs';
import { beforeEach, describe, expect, it } from 'vitest';
import { Ownership } from '../../src/kafka/ownership.ts';

const PLACE = { topic: 't', partition: 0 };

let ownership: Ownership;
let position: number;
const offsets = { commitOffsets: async () => undefined, nextOffset: () => String(position) };

function fetched(fetchedOffset: number, partition = 0, isStale = false): EachBatchPayload {
  const batch = { topic: 't', partition, fetchedOffset: String(fetchedOffset), messages: [], highWatermark: '9' };
  return { batch, isStale: () => isStale } as unknown as EachBatchPayload;
}

beforeEach(() => {
  ownership = new Ownership();
  position = 5;
  ownership.begin([PLACE], offsets);
});

describe('a batch', () => {
  it('is held while its epoch lasts and its partition stays', () => {
    const hold = ownership.hold(fetched(5));
    expect([hold?.epoch, hold?.isHeld(), hold?.isInPlace()]).toEqual([1, true, true]);
  });

  it.each([
    ['that was fetched from elsewhere', fetched(4)],
    ['before a seek that is not carried out', fetched(5, 0, true)],
    ['of a partition that is not owned', fetched(5, 1)],
  ])('%s is not held', (_, payload) => {
    expect(ownership.hold(payload)).toBeUndefined();
  });

  it('of a partition that stands still is not held', () => {
    ownership.paused([PLACE]);
    expect(ownership.hold(fetched(5))).toBeUndefined();
    ownership.resumed([PLACE]);
    expect(ownership.hold(fetched(5))).toBeDefined();
  });

  it('is out of place once the partition is sent elsewhere, though still held', () => {
    const hold = ownership.hold(fetched(5));
    ownership.sentElsewhere(PLACE, 5);
    expect([hold?.isHeld(), hold?.isInPlace()]).toEqual([true, false]);
    expect(ownership.hold(fetched(5))?.isInPlace()).toBe(true);
  });

  it('is void when the epoch ends, also when the next one owns the same partition', () => {
    const hold = ownership.hold(fetched(5));
    expect(ownership.end()).toBe(1);
    expect([hold?.isHeld(), ownership.hold(fetched(5))]).toEqual([false, undefined]);
    expect(ownership.begin([PLACE], offsets)).toBe(2);
    expect([hold?.isHeld(), hold?.isInPlace()]).toEqual([false, false]);
  });
});

it('a batch speaks for the log from where its partition was told to go on, whatever the client passed over since', () => {
  const startOf = (offset: number) => ownership.startOf(fetched(offset).batch);
  expect(startOf(5)).toBe(5);
  ownership.sentElsewhere(PLACE, 5);
  expect(startOf(90)).toBe(5);
  ownership.goesOnAt(PLACE, 95);
  expect([startOf(95), startOf(120)]).toEqual([95, 95]);
  ownership.begin([PLACE], offsets);
  expect(startOf(120)).toBe(120);
});

it('ends an epoch once, and commits for the present one alone', () => {
  expect(ownership.offsetsOf(1)).toBe(offsets);
  expect(ownership.end()).toBe(1);
  expect(ownership.end()).toBeUndefined();
  expect(ownership.offsetsOf(1)).toBeUndefined();
  ownership.begin([PLACE], offsets);
  expect([ownership.offsetsOf(1), ownership.offsetsOf(2)]).toEqual([undefined, offsets]);
});
