import { describe, expect, it } from 'vitest';
import { type CommitMetadata, decodeMetadata, encodeMetadata, fillOf } from '../../src/bridge/metadata.ts';
import type { Range } from '../../src/bridge/range-set.ts';

describe('commit metadata', () => {
  const metadata = { generation: 3, fingerprint: 'c0ffee', reached: 120, finished: [{ start: 102, end: 119 }] };

  it('comes back as it was written', () => {
    expect(decodeMetadata(100, encodeMetadata(100, metadata))).toEqual(metadata);
  });

  it('keeps within what Kafka stores, however much is finished', () => {
    const finished = Array.from({ length: 50_000 }, (_, i) => ({ start: 102 + 31 * i, end: 103 + 31 * i }));
    const text = encodeMetadata(100, {
      generation: 999_999_999,
      fingerprint: 'f'.repeat(64),
      reached: 2 ** 52,
      finished,
    });
    expect(text.length).toBeLessThanOrEqual(4_000);
    expect(text.length).toBeGreaterThan(3_990);
    expect(decodeMetadata(100, text)).toMatchObject({ reached: 2 ** 52 });
  });

  it('tells nothing from something foreign', () => {
    expect(decodeMetadata(0, '')).toBe('none');
    expect(decodeMetadata(0, 'committed by a consumer')).toBe('foreign');
    expect(decodeMetadata(0, 'sluice1;'.repeat(100_000))).toBe('foreign');
  });

  it('believes no text in which one character was changed', () => {
    const text = encodeMetadata(100, metadata);
    for (let at = 0; at < text.length; at++) {
      const changed = `${text.slice(0, at)}${text[at] === '1' ? '2' : '1'}${text.slice(at + 1)}`;
      expect(decodeMetadata(100, changed), changed).toBe('foreign');
    }
  });
});

it('tells how full the metadata is, and above 1 that something was cut', () => {
  const scattered = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ start: 10 + i * 40, end: 11 + i * 40 }));
  const told = (finished: readonly Range[]) => {
    const text = encodeMetadata(5, { generation: 0, fingerprint: 'ab', reached: 1, finished });
    return (decodeMetadata(5, text) as CommitMetadata).finished.length;
  };
  expect(fillOf(5, { finished: [] })).toBe(0);
  expect(fillOf(5, { finished: scattered(700) })).toBeLessThan(0.6);
  expect(told(scattered(700))).toBe(700);
  expect(fillOf(5, { finished: scattered(3_000) })).toBeGreaterThan(1);
  expect(told(scattered(3_000))).toBeLessThan(3_000);
});
