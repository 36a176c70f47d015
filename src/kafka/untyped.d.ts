declare module 'lz4js' {
  /** LZ4 frame format. */
  export function compress(buffer: Uint8Array): Uint8Array;
  export function decompress(buffer: Uint8Array): Uint8Array;
}

declare module 'kafkajs-snappy' {
  const codec: () => {
    compress(encoder: { buffer: Buffer }): Promise<Buffer>;
    decompress(buffer: Buffer): Promise<Buffer>;
  };
  export default codec;
}
