/** Every compression that a Kafka producer may have used. KafkaJS alone knows gzip and fails on the others. */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import snappyCodec from 'kafkajs-snappy';
import { compress, decompress } from 'lz4js';

interface Encoded {
  readonly buffer: Buffer;
}

const zstd = promisify(zstdCompress);
const unzstd = promisify(zstdDecompress);

export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder: Encoded) => Buffer.from(compress(encoder.buffer)),
    decompress: async (buffer: Buffer) => Buffer.from(decompress(buffer)),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: (encoder: Encoded) => zstd(encoder.buffer),
    decompress: (buffer: Buffer) => unzstd(buffer),
  });
}
