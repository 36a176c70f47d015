/**
 * Whether what Kafka's log, the group's commit and Redis's ledger say about a partition can be true together (rule 2). A
 * bridge halts the partition where not; the offsets command says the same of it without claiming anything.
 */
import type { Bounds } from '../kafka/consumer.ts';
import type { CommitMetadata } from './metadata.ts';

/**
 * `below`: records went before they were finished. `beyond`, `cut`: the log ends too early. `forgotten`: the commit is
 * gone. `newer`: the commit is older than the ledger. `corrupt`: the ledger's keys hold something else.
 * In all but `below` and `corrupt`, offsets may name other records than before.
 */
export interface Nonsense {
  readonly kind: 'below' | 'beyond' | 'cut' | 'forgotten' | 'newer' | 'corrupt';
  readonly reason: string;
}

export interface PartitionFacts {
  readonly bounds: Bounds;
  /** Absent: the group has committed nothing. */
  readonly committed: number | undefined;
  /** Absent: what stands beside the commit is not ours. */
  readonly known: CommitMetadata | undefined;
  /** Of every shard that the topic can reach. */
  readonly ledgers: readonly LedgerFacts[];
}

export interface LedgerFacts {
  readonly isCorrupt: boolean;
  readonly enqueued: number;
  readonly generation: number;
}

export const CORRUPT: Nonsense = { kind: 'corrupt', reason: 'a key of the ledger is of a foreign type' };

export function nonsenseIn({ bounds, committed, known, ledgers }: PartitionFacts): Nonsense | undefined {
  const generation = known?.generation ?? 0;
  const present = ledgers.map((each) => (each.generation === generation ? each.enqueued : -1));
  return (
    (ledgers.some(({ isCorrupt }) => isCorrupt) ? CORRUPT : undefined) ??
    newerLedger(generation, Math.max(...ledgers.map((each) => each.generation))) ??
    outsideLog(committed ?? bounds.low, bounds) ??
    cutBelow(Math.max(known?.reached ?? -1, ...present), bounds.high) ??
    forgotten(known, Math.max(...present))
  );
}

export function newerLedger(generation: number, ledgerGeneration: number): Nonsense | undefined {
  if (ledgerGeneration <= generation) return undefined;
  const reason =
    `Redis knows generation ${ledgerGeneration} of the partition, and the group's commit only ${generation}: ` +
    'the topic was made anew, or its offsets have expired or were reset';
  return { kind: 'newer', reason };
}

export function outsideLog(start: number, { low, high }: Bounds): Nonsense | undefined {
  if (start >= low && start <= high) return undefined;
  const gone = start === low - 1 ? `record ${start} is gone` : `records ${start} to ${low - 1} are gone`;
  const missing = start < low ? gone : `it ends before record ${start}`;
  const reason = `the committed offset ${start} is outside the log [${low}, ${high}): ${missing}`;
  return { kind: start < low ? 'below' : 'beyond', reason };
}

/** `reached`: the last record that was dealt with. */
export function cutBelow(reached: number, end: number): Nonsense | undefined {
  if (reached < end) return undefined;
  const reason = `the log ends at ${end}, but records up to ${reached} were dealt with: it was cut, or the topic was made anew`;
  return { kind: 'cut', reason };
}

/** Redis remembers the partition and Kafka does not. */
export function forgotten(known: CommitMetadata | undefined, enqueued: number): Nonsense | undefined {
  if (known !== undefined || enqueued < 0) return undefined;
  const reason =
    `Redis has dealt with offsets up to ${enqueued}, but the group's commit holds nothing of Sluice's: ` +
    'the topic was made anew, or its offsets have expired or were reset';
  return { kind: 'forgotten', reason };
}
