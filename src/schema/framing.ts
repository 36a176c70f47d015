/**
 * The framing that schema-registry clients put before a message: a zero byte, the schema's id in four bytes, and the
 * path to the message type within its file as zigzag varints (a single 0 stands for the first type).
 */

export interface Framed {
  readonly schemaId: number;
  readonly indexes: readonly number[];
  readonly body: Buffer;
}

const HEADER_BYTES = 5;
const MOST_INDEXES = 32;

/** Undefined for bytes without it: no protobuf message begins with a zero byte. */
export function unframe(bytes: Buffer): Framed | undefined {
  if (bytes.length <= HEADER_BYTES || bytes[0] !== 0) return undefined;
  const reader = { bytes, at: HEADER_BYTES };
  const count = zigzag(reader);
  if (count === undefined || count < 0 || count > MOST_INDEXES) return undefined;
  const indexes = count === 0 ? [0] : Array.from({ length: count }, () => zigzag(reader));
  if (indexes.some((index) => index === undefined)) return undefined;
  return { schemaId: bytes.readUInt32BE(1), indexes: indexes as number[], body: bytes.subarray(reader.at) };
}

function zigzag(reader: { readonly bytes: Buffer; at: number }): number | undefined {
  let value = 0;
  for (let shift = 0; shift < 32; shift += 7) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
  }
  return undefined;
}
