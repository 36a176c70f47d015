/**
 * Finds a worker that takes nothing although jobs wait: after a failover BullMQ's can stop fetching without a word
 * (bullmq#4378). It is told, and opened anew by the caller. A Redis that is away is nobody's fault and not looked at.
 */
import type { Clock } from '../../clock.ts';
import type { Redis } from '../../redis/connection.ts';

const LOOK_EVERY_MS = 10_000;
const IDLE_FOR_MS = 30_000;

export interface IdleWatchOptions {
  /** `bull:mail:` */
  readonly keyPrefix: string;
  readonly connection: Redis;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** When the worker last gave a sign of fetching, in milliseconds since the epoch; undefined while it is at work. */
  readonly lastSign: () => number | undefined;
  readonly onStuck: (waiting: number) => void;
  readonly lookEveryMs?: number;
  readonly idleForMs?: number;
}

export async function watchIdle(options: IdleWatchOptions): Promise<void> {
  const { clock, signal, lookEveryMs = LOOK_EVERY_MS, idleForMs = IDLE_FOR_MS } = options;
  while (!signal.aborted) {
    await clock.sleep(lookEveryMs, signal);
    const last = options.lastSign();
    if (signal.aborted || last === undefined || clock.now() - last < idleForMs) continue;
    const waiting = await takeable(options).catch(() => 0);
    if (waiting > 0) options.onStuck(waiting);
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
