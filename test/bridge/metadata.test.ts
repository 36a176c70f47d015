import { describe, expect, it } from 'vitest';
import { decodeMetadata, encodeMetadata } from '../../src/bridge/metadata.ts';

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
