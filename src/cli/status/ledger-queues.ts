/**
 * The queues that hold jobs from Kafka, as the ledgers on a Redis tell it: known also while no process of Sluice is there to
 * tell. Reads the ends of each ledger's index, so that a look costs the same whatever waits; scans nothing.
 */

import type { Redis } from '../../redis/connection.ts';
import { type LedgerName, ledgerKey } from '../../redis/keys.ts';

/** Members at each end. A queue whose offsets lie between those of others is missed until they are done. */
const MEMBERS = 50;
const CHUNK_MARK = ':';

export async function ledgerQueues(redis: Redis, ledgers: readonly LedgerName[]): Promise<string[]> {
  const pipeline = redis.pipeline();
  for (const ledger of ledgers) {
    const index = `${ledgerKey(ledger)}:c`;
    pipeline.zrange(index, '0', String(MEMBERS - 1)).zrange(index, String(-MEMBERS), '-1');
  }
  const replies = (await pipeline.exec()) ?? [];
  // What another kind of key answers is no ledger's.
  const members = replies.flatMap(([error, found]) => (error === null ? (found as string[]) : []));
  return [...new Set(members.map((member) => member.slice(member.indexOf(CHUNK_MARK) + 1)))];
}
