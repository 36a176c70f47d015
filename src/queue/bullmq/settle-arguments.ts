/** Offsets as the arguments of settle-bullmq.lua: by chunk, each with its slot, so that the script makes no text of either. */
import { CHUNK } from '../ledger-replies.ts';

export function settleArguments(offsets: readonly number[]): number[] {
  const chunks = new Map<number, number[]>();
  for (const offset of offsets) {
    const chunk = Math.floor(offset / CHUNK);
    const some = chunks.get(chunk);
    if (some === undefined) chunks.set(chunk, [offset]);
    else some.push(offset);
  }
  return [...chunks].flatMap(([chunk, some]) => [chunk, some.length, ...some, ...some.map((offset) => offset % CHUNK)]);
}
