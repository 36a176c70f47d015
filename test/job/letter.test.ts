import { expect, it } from 'vitest';
import { historyIn, originOf, replayHeaders, timesReplayed } from '../../src/job/letter.ts';

const LETTER = {
  trace: 'abc',
  'sluice.reason': 'dead',
  'sluice.error': 'as it was told',
  'sluice.stack': 'Error\n  at x',
  'sluice.attempts': '3',
  'sluice.queue': 'mail',
  'sluice.message': 'acme.Mail',
  'sluice.topic': 'orders',
  'sluice.partition': '2',
  'sluice.offset': '41',
  'sluice.generation': '0',
  'sluice.timestamp': '1000',
  'sluice.created': '1001',
  'sluice.failed': '1002',
  'sluice.event-id': 'e-1',
};

it('drops what is about the death, and keeps the event and its first place', () => {
  expect(replayHeaders(LETTER)).toEqual({
    trace: 'abc',
    'sluice.event-id': 'e-1',
    'sluice.replayed': '1',
    'sluice.first-topic': 'orders',
    'sluice.first-partition': '2',
    'sluice.first-offset': '41',
    'sluice.first-timestamp': '1000',
  });
});

it('keeps the first place through a second life, and counts', () => {
  const again = { ...LETTER, ...replayHeaders(LETTER), 'sluice.topic': 'orders', 'sluice.offset': '97' };
  expect(replayHeaders(again)).toMatchObject({ 'sluice.replayed': '2', 'sluice.first-offset': '41' });
  expect(historyIn(again)).toMatchObject({ 'sluice.event-id': 'e-1', 'sluice.replayed': '1' });
  expect(Object.keys(historyIn(again))).not.toContain('sluice.reason');
});

it('reads where the record stood, and believes nothing else', () => {
  expect(originOf(LETTER)).toEqual({ topic: 'orders', partition: 2, offset: 41 });
  for (const offset of ['', '-1', '1.5', 'x', '1'.repeat(16)]) {
    expect(originOf({ ...LETTER, 'sluice.offset': offset })).toBeUndefined();
    expect(timesReplayed({ 'sluice.replayed': offset })).toBe(0);
  }
  expect(originOf({})).toBeUndefined();
  expect(timesReplayed({ 'sluice.replayed': '12' })).toBe(12);
});
