import { describe, expect, it } from 'vitest';
import { decodeMetadata, encodeMetadata } from '../../src/bridge/metadata.ts';

describe('commit metadata', () => {
  const metadata = { generation: 3, fingerprint: 'c0ffee' };

  it('comes back as it was written', () => {
    expect(decodeMetadata(encodeMetadata(metadata))).toEqual(metadata);
  });

  it('tells nothing from something foreign', () => {
    expect(decodeMetadata('')).toBe('none');
    expect(decodeMetadata('committed by a consumer')).toBe('foreign');
  });

  it('believes no text in which one character was changed', () => {
    const text = encodeMetadata(metadata);
    for (let at = 0; at < text.length; at++) {
      const changed = `${text.slice(0, at)}${text[at] === '1' ? '2' : '1'}${text.slice(at + 1)}`;
      expect(decodeMetadata(changed), changed).toBe('foreign');
    }
  });
});
