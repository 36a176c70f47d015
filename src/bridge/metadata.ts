/**
 * What Sluice writes beside a committed offset: `sluice1;<generation>;<fingerprint>;<finished>;<crc>`.
 * `finished` is kept for the ranges above the committed offset and may be empty. Kafka stores up to 4,096 bytes.
 * Text that is not ours, or does not match its checksum, reads as `foreign`; it is never half believed.
 */
import { crc32 } from 'node:zlib';

export interface CommitMetadata {
  /** Part of the job ids; raised when an operator resets a topic made anew. */
  readonly generation: number;
  /** Says which shard a record goes to; see fingerprint.ts. */
  readonly fingerprint: string;
}

const FORMAT = /^sluice1;(\d{1,9});([0-9a-f]{1,64});([^;]*);([0-9a-f]{8})$/;

export function encodeMetadata({ generation, fingerprint }: CommitMetadata): string {
  const body = `sluice1;${generation};${fingerprint};`;
  return `${body};${checksum(body)}`;
}

/** `none` for an empty text, `foreign` for one that Sluice did not write. */
export function decodeMetadata(text: string): CommitMetadata | 'none' | 'foreign' {
  if (text === '') return 'none';
  const match = FORMAT.exec(text);
  if (match === null) return 'foreign';
  const [, generation, fingerprint, , crc] = match as unknown as [string, string, string, string, string];
  if (checksum(text.slice(0, -9)) !== crc) return 'foreign';
  return { generation: Number(generation), fingerprint };
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
