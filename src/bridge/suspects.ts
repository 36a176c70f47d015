/** Jobs that a ledger waits for, while they are searched for: what is seen anywhere is not lost. */
import { groupMark, sourceOf } from '../job/identity.ts';
import type { SidekiqSink } from '../queue/sink.ts';
import type { HeldPartition, HeldShard } from './held-partition.ts';
import type { RangeSet } from './range-set.ts';

/** A partition with jobs that its ledger waits for, and what of it was seen. */
export interface Suspect {
  readonly held: HeldPartition;
  readonly of: HeldShard;
  readonly sink: SidekiqSink;
  readonly seen: RangeSet;
  /** Later ones are not looked for. */
  readonly end: number;
}

export function isHeld({ held, of }: Pick<Suspect, 'held' | 'of'>): boolean {
  return held.isReady && held.shards.includes(of);
}

/** The lowest offset at or above `from` that was not seen. */
export function nextLost({ seen, end }: Suspect, from: number): number | undefined {
  const offset = seen.nextMissing(from);
  return offset < end ? offset : undefined;
}

/** Notes that the job of this id was seen; answers whose it is. */
export function see(suspects: readonly Suspect[], id: string): { suspect: Suspect; offset: number } | undefined {
  const source = sourceOf(id);
  if (source === undefined) return undefined;
  const suspect = suspects.find(
    ({ held, of }) =>
      held.topic === source.topic &&
      held.partition === source.partition &&
      held.generation === source.generation &&
      groupMark(of.claim.ledger.group) === source.group,
  );
  if (suspect === undefined) return undefined;
  const offset = Number(source.offset);
  suspect.seen.add(offset, offset + 1);
  return { suspect, offset };
}
