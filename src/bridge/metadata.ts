/**
 * What Sluice writes beside a committed offset: `sluice1;<generation>;<fingerprint>;<reached>;<finished>;<crc>`.
 * Kafka stores 4,096 bytes by default; ours take up to 4,000. Text that is not ours, or does not match its checksum,
 * reads as `foreign`; it is never half believed.
 */
import { crc32 } from 'node:zlib';
import { decodeFinished, encodeFinished } from './finished.ts';
import type { Range } from './range-set.ts';

export interface CommitMetadata {
  /** Part of the job ids; raised when an operator resets a topic made anew. */
  readonly generation: number;
  /** Says which shard a record goes to; see fingerprint.ts. */
  readonly fingerprint: string;
  /** The last offset that was enqueued on every shard when this was written, -1 for none: a Redis below it has lost something. */
  readonly reached: number;
  /** Finished offsets above the committed one, in order; the topmost may be missing. */
  readonly finished: readonly Range[];
}

const MOST_CHARS = 4_000;
const WIDE_CHARS = 2 * MOST_CHARS;
const CHECKSUM_CHARS = 8;
const FORMAT = /^sluice1;(\d{1,9});([0-9a-f]{1,64});(-1|\d{1,16});([^;]*);([0-9a-f]{8})$/;

/** `committed`: the offset that it is written beside. */
export function encodeMetadata(committed: number, metadata: CommitMetadata): string {
  const { generation, fingerprint, reached, finished } = metadata;
  const head = `sluice1;${generation};${fingerprint};${reached};`;
  const room = MOST_CHARS - head.length - 1 - CHECKSUM_CHARS;
  const body = `${head}${encodeFinished(committed, finished, room)};`;
  return body + checksum(body);
}

/**
 * How much of the room the finished ranges would take, all of them: above 1 the topmost are cut, and what they tell of
 * runs again after a loss of Redis.
 */
export function fillOf(committed: number, { finished }: Pick<CommitMetadata, 'finished'>): number {
  return encodeFinished(committed, finished, WIDE_CHARS).length / MOST_CHARS;
}

/** `none` for an empty text, `foreign` for one that Sluice did not write beside this offset. */
export function decodeMetadata(committed: number, text: string): CommitMetadata | 'none' | 'foreign' {
  if (text === '') return 'none';
  const match = text.length <= MOST_CHARS ? FORMAT.exec(text) : null;
  if (match === null) return 'foreign';
  const [, generation, fingerprint, reached, finishedText, crc] = match as unknown as [string, ...string[]];
  const finished = decodeFinished(committed, finishedText ?? '');
  if (checksum(text.slice(0, -CHECKSUM_CHARS)) !== crc || finished === undefined) return 'foreign';
  return { generation: Number(generation), fingerprint: fingerprint ?? '', reached: Number(reached), finished };
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(CHECKSUM_CHARS, '0');
}
