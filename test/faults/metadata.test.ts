import { expect, it } from 'vitest';
import { encodeMetadata } from '../../src/bridge/metadata.ts';
import { finishedAbove } from '../../src/faults/check/metadata.ts';
import { createRandom } from '../../src/faults/random.ts';

it('reads what the bridge writes, pairs and bitmaps alike', () => {
  const random = createRandom(3);
  const kinds = new Set<string>();
  for (let round = 0; round < 60; round++) {
    const committed = Math.floor(random() * 10_000);
    const widest = round % 2 === 0 ? 4 : 400;
    const ranges: { start: number; end: number }[] = [];
    for (let at = committed, i = 0; i < 20; i++) {
      const start = at + 1 + Math.floor(random() * widest);
      at = start + 1 + Math.floor(random() * widest);
      ranges.push({ start, end: at });
    }
    const metadata = encodeMetadata(committed, { generation: 0, fingerprint: 'ab', reached: -1, finished: ranges });
    kinds.add(/;([rb])/.exec(metadata)?.[1] ?? '');
    const offsets = finishedAbove(committed, metadata).flatMap(([start, end]) =>
      Array.from({ length: end - start }, (_, i) => start + i),
    );
    expect(offsets).toEqual(
      ranges.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
    );
  }
  expect(kinds).toEqual(new Set(['r', 'b']));
});

it('reads nothing out of anything else', () => {
  for (const text of ['', 'x', 'sluice1;0;ab;-1;;00000000', 'sluice2;0;ab;-1;rAAAA;00000000'])
    expect(finishedAbove(5, text)).toEqual([]);
});
