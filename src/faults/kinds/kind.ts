/** What a kind of fault is. */
import type { World } from '../world.ts';

/** What it is done to; two faults of different areas may be under way at once. */
export type Area = 'bridge' | 'worker' | 'redis' | 'kafka' | 'collector' | 'records' | 'everything';

/**
 * What the kit must have for it. `flushall`: leave to empty Redis. `redis-server`, `broker`: servers of its own.
 * `redis-network`, `kafka-network`: a proxy of its own between the processes and the servers.
 */
export type Need = 'flushall' | 'redis-server' | 'redis-network' | 'broker' | 'kafka-network';

export interface Kind {
  readonly name: string;
  readonly area: Area;
  readonly needs?: readonly Need[];
  /** Done once in a run, and last: it changes what later faults would meet. */
  readonly isLast?: true;
  /** What is done, for people. */
  readonly does: string;
  /** From the beginning of the fault to its end; what has to recover is what comes after. */
  inject(world: World, random: () => number): Promise<void>;
}
