import kafkajs from 'kafkajs';
import { expect, it } from 'vitest';
import { registerCodecs } from '../../src/kafka/codecs.ts';

const TEXT = "a record of Kafka's own client, ".repeat(8);

/** Written by the Java client of Kafka 4.3.1. */
const BY_JAVA = {
  Snappy: 'glNOQVBQWQAAAAABAAAAAQAAAC+AAnxhIHJlY29yZCBvZiBLYWZrYSdzIG93biBjbGllbnQsIP4gAP4gAP4gAH4gAA==',
  LZ4: 'BCJNGGBAgisAAAD/EWEgcmVjb3JkIG9mIEthZmthJ3Mgb3duIGNsaWVudCwgIADIUGVudCwgAAAAAA==',
  ZSTD: 'KLUv/QBYTAEABAJhIHJlY29yZCBvZiBLYWZrYSdzIG93biBjbGllbnQsIAEA6A5KPQEBAAA=',
} as const;

type Codec = () => {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
};

function codecOf(name: keyof typeof BY_JAVA): ReturnType<Codec> {
  registerCodecs();
  return (kafkajs.CompressionCodecs as unknown as Record<number, Codec>)[kafkajs.CompressionTypes[name]]?.() as never;
}

it.each(Object.keys(BY_JAVA) as (keyof typeof BY_JAVA)[])("reads Java's %s", async (name) => {
  const read = await codecOf(name).decompress(Buffer.from(BY_JAVA[name], 'base64'));
  expect(String(read)).toBe(TEXT);
});

it.each(Object.keys(BY_JAVA) as (keyof typeof BY_JAVA)[])(
  'reads its own %s, also of nothing and of much',
  async (name) => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(300_000, 'ab')]) {
      const codec = codecOf(name);
      expect((await codec.decompress(await codec.compress({ buffer: bytes }))).equals(bytes)).toBe(true);
    }
  },
);
