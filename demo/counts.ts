/** What the demo counts, each number where it happens, and what it says when they do not agree. Pure. */

export interface Counts {
  /** Records that Kafka has acked to the producer. */
  readonly produced: number;
  /** Jobs that the queue's own event stream says were added; twice: ids seen there more than once. */
  readonly enqueued: number;
  readonly createdTwice: number;
  /** Jobs that the same stream says were completed. */
  readonly completed: number;
  /** Event ids, and events, that the receiver has accepted. */
  readonly receivedDistinct: number;
  readonly receivedTotal: number;
  /** Records of the dead-letter topic. */
  readonly deadLettered: number;
}

/** Every event that was produced has come to some end. */
export function isThrough({ produced, enqueued, completed, receivedDistinct, deadLettered }: Counts): boolean {
  const arrived = enqueued >= produced && completed >= produced && receivedDistinct >= produced;
  return arrived || (deadLettered > 0 && completed + deadLettered >= produced);
}

/** One line for each count that is not what it should be. */
export function disagreements(counts: Counts): readonly string[] {
  const { produced, createdTwice, deadLettered } = counts;
  const lines = (['enqueued', 'completed', 'receivedDistinct'] as const)
    .filter((name) => counts[name] !== produced)
    .map((name) => `${name} is ${counts[name]}, produced ${produced}: ${difference(produced - counts[name])}`);
  if (createdTwice > 0) lines.push(`${createdTwice} jobs were created twice`);
  if (deadLettered > 0) lines.push(`${deadLettered} records are dead letters`);
  return lines;
}

function difference(missing: number): string {
  return missing > 0 ? `${missing} are missing` : `${-missing} too many`;
}
