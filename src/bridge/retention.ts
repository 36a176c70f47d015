/** The arithmetic of retention: how long a record is safe in its topic, and when that is told. Times are milliseconds. */

/** Below this share of the retention, an operator is told. */
const TELL_BELOW = 0.25;

/** Until Kafka may delete a record; it deletes whole segments, so the record may stay longer. Infinity: never. */
export function timeLeftMs(timestamp: number, retentionMs: number, now: number): number {
  return retentionMs === Number.POSITIVE_INFINITY ? retentionMs : Math.max(0, timestamp + retentionMs - now);
}

export function isShort(leftMs: number, retentionMs: number): boolean {
  return leftMs < retentionMs * TELL_BELOW;
}

/** What a topic's settings say; compaction alone deletes no record that counts by its age. */
export function retentionOf(settings: ReadonlyMap<string, string>): number {
  const isDeleting = (settings.get('cleanup.policy') ?? 'delete').split(',').includes('delete');
  const retentionMs = Number(settings.get('retention.ms') ?? -1);
  return isDeleting && retentionMs >= 0 ? retentionMs : Number.POSITIVE_INFINITY;
}
