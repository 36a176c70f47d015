import { expect, it } from 'vitest';
import { committedOnly, type FetchedMessage } from '../../src/kafka/committed-only.ts';

function message(offset: number, producerId: string, change: Partial<FetchedMessage> = {}): FetchedMessage {
  const batchContext = { producerId, inTransaction: producerId !== '-1' };
  const record = { key: null, value: null, timestamp: '0', attributes: 0, offset: `${offset}`, headers: {} };
  return { ...record, isControlRecord: false, batchContext, ...change } as FetchedMessage;
}

const mark = (offset: number, producerId: string) => message(offset, producerId, { isControlRecord: true });

function kept(messages: readonly FetchedMessage[], aborted: readonly [string, number][], from = 0): number[] {
  const abortedTransactions = aborted.map(([producerId, first]) => ({ producerId, firstOffset: `${first}` }));
  const fetched = { messages, abortedTransactions, lastStableOffset: '100' };
  return committedOnly(fetched, from).map(({ offset }) => Number(offset));
}

it('leaves out what was aborted, also of several at once that began before the fetch', () => {
  const messages = [message(5, 'b'), message(6, 'a'), message(7, '-1'), message(8, 'c'), mark(9, 'a'), mark(10, 'b')];
  expect(
    kept(messages, [
      ['b', 2],
      ['a', 1],
    ]),
  ).toEqual([7, 8]);
});

it('takes what the same producer committed before and after', () => {
  const messages = [message(0, 'a'), mark(1, 'a'), message(2, 'a'), mark(3, 'a'), message(4, 'a'), mark(5, 'a')];
  expect(kept(messages, [['a', 2]])).toEqual([0, 4]);
  expect(kept(messages, [])).toEqual([0, 2, 4]);
});

it('lets pass what the same producer wrote outside of a transaction, and nothing below the asked offset', () => {
  const outside = message(3, 'a', { batchContext: { producerId: 'a', inTransaction: false } });
  expect(kept([message(2, 'a'), outside, message(4, '-1')], [['a', 2]])).toEqual([3, 4]);
  expect(kept([message(2, '-1'), outside, message(4, '-1')], [], 4)).toEqual([4]);
});
