/**
 * What Redis has lost and what became of it: the last 200 losses of a consumer group, each made good. Kept in Redis,
 * which may lose it as well: the log and the metrics tell of each loss too.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { lossesKey } from '../redis/keys.ts';
import { createJournal, type Journal } from './journal.ts';

const LOSSES_KEPT = 200;

/** Times are milliseconds since the epoch. */
export interface LossView {
  readonly topic: string;
  readonly partition: number;
  /** When it was noticed. */
  readonly at: number;
  /** `emptied`: Redis held nothing of the partition any more. `restored`: it held an older state. */
  readonly kind: 'emptied' | 'restored';
  /** Last offset that Redis had held, and the last that it held still, -1 for none. */
  readonly reached: number;
  readonly left: number;
  readonly enqueuedAgain: number;
  readonly tookMs: number;
}

export function createLossRecorder(redis: Redis, group: string, clock: Clock): Journal<LossView> {
  const key = lossesKey(group);
  return createJournal(async (loss) => {
    const done = await redis
      .multi()
      .lpush(key, JSON.stringify(loss))
      .ltrim(key, 0, LOSSES_KEPT - 1)
      .exec();
    return done?.every(([error]) => error === null) ?? false;
  }, clock);
}

/** The newest first. Rejects when Redis does not answer. */
export async function readLosses(redis: Redis, group: string, most = LOSSES_KEPT): Promise<LossView[]> {
  return (await redis.lrange(lossesKey(group), 0, most - 1)).map((text) => JSON.parse(text) as LossView);
}
