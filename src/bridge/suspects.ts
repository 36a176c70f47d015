/** Jobs that a ledger waits for, while they are searched for: what is seen anywhere is not lost. */
import { groupMark, idOfGroup, jobIdPrefix } from '../job/identity.ts';
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

export type Suspects = ReadonlyMap<string, Suspect>;

export function isHeld({ held, of }: Pick<Suspect, 'held' | 'of'>): boolean {
  return held.isReady && held.shards.includes(of);
}

/** The lowest offset at or above `from` that was not seen. */
export function nextLost({ seen, end }: Suspect, from: number): number | undefined {
  const offset = seen.nextMissing(from);
  return offset < end ? offset : undefined;
}

/** By everything of their jobs' ids but the offset. */
export function byPrefix(suspects: readonly Suspect[]): Suspects {
  return new Map(
    suspects.map((each) => {
      const { topic, partition, generation } = each.held;
      return [idOfGroup(jobIdPrefix(topic, generation, partition), groupMark(each.of.claim.ledger.group)), each];
    }),
  );
}

/** The lowest so many offsets at or above `from` that were not seen, and are not known to be finished. */
export function lostFrom(suspect: Suspect, from: number, most: number): number[] {
  const lost: number[] = [];
  for (let at = nextLost(suspect, from); at !== undefined && lost.length < most; at = nextLost(suspect, at + 1))
    if (!suspect.of.finished.has(at)) lost.push(at);
  return lost;
}

/** Notes that the job of this id was seen; answers whose it is. */
export function see(suspects: Suspects, id: string): { suspect: Suspect; offset: number } | undefined {
  const at = id.lastIndexOf('~') + 1;
  const suspect = suspects.get(id.slice(0, at));
  if (suspect === undefined || !/^\d{1,16}$/.test(id.slice(at))) return undefined;
  const offset = Number(id.slice(at));
  suspect.seen.add(offset, offset + 1);
  return { suspect, offset };
}
