import { describe, expect, it } from 'vitest';
import { wellKnown } from '../../src/schema/well-known.ts';

const timestamp = wellKnown('google.protobuf.Timestamp');

/** As the long way writes it; undefined where it is no time. */
function written(json: string): unknown {
  const fields = timestamp?.toFields(json);
  return fields === undefined ? undefined : timestamp?.fromFields(fields);
}

describe('a time that is taken for canonical as it is', () => {
  const days = [
    '0000-12-31',
    '0001-01-01',
    '1969-12-31',
    '2024-02-29',
    '2023-02-29',
    '2026-04-31',
    '9999-12-31',
    '2026-00-10',
  ];
  const times = ['00:00:00', '23:59:59', '24:00:00', '12:60:00', '12:00:60', '1:00:00'];
  const fractions = [
    '',
    '.',
    '.5',
    '.000',
    '.120',
    '.123',
    '.123000',
    '.123456',
    '.000001',
    '.123456000',
    '.123456789',
    '.1234567891',
  ];
  const zones = ['Z', 'z', '+00:00', '-05:30', ''];
  const texts = days.flatMap((day) =>
    times.flatMap((time) => fractions.flatMap((part) => zones.map((zone) => `${day}T${time}${part}${zone}`))),
  );

  it('is what the long way writes', () => {
    const taken = texts.filter((text) => timestamp?.isCanonical?.(text));
    expect(taken.filter((text) => written(text) !== text)).toEqual([]);
    expect(taken).toContain('2024-02-29T23:59:59.123Z');
  });

  it('misses only what ends in zeros', () => {
    const missed = texts.filter((text) => written(text) === text && !timestamp?.isCanonical?.(text));
    expect(missed).toEqual([]);
  });

  it.each([undefined, null, 5, {}, ['2024-02-29T23:59:59Z'], new Date(0)])('%s is none', (json) => {
    expect(timestamp?.isCanonical?.(json)).toBe(false);
  });
});

it('writes times of one second, and of many, the same', () => {
  const at = (seconds: number, nanos: number) => timestamp?.fromFields({ seconds: String(seconds), nanos });
  const times = [0, 0, 1, 0, -1, 1_700_000_000, 1_700_000_000].map((seconds) => at(seconds, 5_000_000));
  expect(times).toEqual(
    [0, 0, 1, 0, -1, 1_700_000_000, 1_700_000_000].map((s) => new Date(s * 1000 + 5).toISOString()),
  );
  expect([at(0, 1_000), at(0, 1), at(0, 120_000_000)].map((text) => String(text).slice(19))).toEqual([
    '.000001Z',
    '.000000001Z',
    '.120Z',
  ]);
});
