/** All that a bridge does to one Redis, over one connection. */
import type { Dialect } from '../job/sidekiq-job.ts';
import { askRedis, disconnect, type Redis } from '../redis/connection.ts';
import { createBullSink } from './bullmq/sink.ts';
import { parseInfo } from './info.ts';
import { createCensus } from './sidekiq/census.ts';
import { createSidekiqSink } from './sidekiq/sink.ts';
import type { Sinks } from './sink.ts';

export interface SinksOptions {
  /** The configured name of the Redis. */
  readonly name: string;
  /** A connection for `ledger` purposes; the sinks close it. */
  readonly redis: Redis;
  /** BullMQ's key prefix. */
  readonly prefix: string;
  /** Text of BullMQ's adder; see bullmq/adder.ts. */
  readonly adder: string;
  readonly dialect: Dialect;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function createSinks({ name, redis, prefix, adder, dialect, now }: SinksOptions): Sinks {
  const sidekiq = { name, redis, dialect, now };
  return {
    name,
    bullmq: createBullSink({ name, redis, prefix, adder }),
    sidekiq: {
      enqueued: createSidekiqSink({ ...sidekiq, isTracked: false }),
      acknowledged: createSidekiqSink({ ...sidekiq, isTracked: true }),
    },
    census: createCensus(name, redis),
    memory: () => askRedis(name, async () => parseInfo(await redis.info())),
    close: () => disconnect(redis),
  };
}
