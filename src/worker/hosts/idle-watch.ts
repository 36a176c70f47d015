/**
 * Finds a worker that takes nothing although jobs wait: after a failover BullMQ's can stop fetching without a word
 * (bullmq#4378). It is told, and opened anew by the caller. One look proves nothing, since a job may have come just
 * before it: two in a row must find jobs and no sign of the worker between them. A Redis that is away is nobody's fault
 * and not looked at.
 */
import type { Clock } from '../../clock.ts';
import type { Redis } from '../../redis/connection.ts';

const LOOK_EVERY_MS = 10_000;

export interface IdleWatchOptions {
  /** `bull:mail:` */
  readonly keyPrefix: string;
  readonly connection: Redis;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How many signs of fetching the worker has given so far; undefined while it is at work. */
  readonly signs: () => number | undefined;
  readonly onStuck: (waiting: number) => void;
  readonly lookEveryMs?: number;
}

export async function watchIdle(options: IdleWatchOptions): Promise<void> {
  const { clock, signal, signs, lookEveryMs = LOOK_EVERY_MS } = options;
  let suspectedAt: number | undefined;
  for (;;) {
    await clock.sleep(lookEveryMs, signal);
    if (signal.aborted) return;
    const waiting = signs() === undefined ? 0 : await takeable(options).catch(() => 0);
    const seen = waiting > 0 ? signs() : undefined;
    const isStuck = seen !== undefined && seen === suspectedAt && !signal.aborted;
    if (isStuck) options.onStuck(waiting);
    suspectedAt = isStuck ? undefined : seen;
  }
}

/** Jobs that a worker could take now: none of a queue that is paused, limited, or at its own concurrency. */
async function takeable({ connection, keyPrefix }: IdleWatchOptions): Promise<number> {
  if (connection.status !== 'ready') return 0;
  const [wait, prioritized, active, limited, meta] = await Promise.all([
    connection.llen(`${keyPrefix}wait`),
    connection.zcard(`${keyPrefix}prioritized`),
    connection.llen(`${keyPrefix}active`),
    connection.exists(`${keyPrefix}limiter`),
    connection.hmget(`${keyPrefix}meta`, 'paused', 'concurrency'),
  ]);
  const [paused, concurrency] = meta;
  const isHeld = limited === 1 || paused !== null || (concurrency !== null && active >= Number(concurrency));
  return isHeld ? 0 : wait + prioritized;
}
