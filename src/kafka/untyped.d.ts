declare module 'kafkajs-snappy' {
  const codec: () => {
    compress(encoder: { buffer: Buffer }): Promise<Buffer>;
    decompress(buffer: Buffer): Promise<Buffer>;
  };
  export default codec;
}

/** Inside kafkajs 2.2.4, for group-seam.ts alone. */
declare module 'kafkajs/src/consumer/consumerGroup.js' {
  import type { OffsetsByTopicPartition } from 'kafkajs';

  export default class ConsumerGroup {
    readonly cluster: object;
    readonly offsetManager: {
      commitOffsets(offsets: OffsetsByTopicPartition): Promise<void>;
      nextOffset(topic: string, partition: number): { toString(): string };
    };
    connect(): Promise<void>;
    leave(): Promise<void>;
    recoverFromOffsetOutOfRange(error: { topic: string; partition: number }): Promise<void>;
  }
}
