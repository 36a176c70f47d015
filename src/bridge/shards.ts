/** Opens the configured Redis, each with its sink and gate. */

import { chooseAdder } from '../queue/bullmq/adder.ts';
import { createBullSink } from '../queue/bullmq/sink.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect } from '../redis/connection.ts';
import { Shard, type ShardOptions } from './shard.ts';

export function openShards(
  { redis }: { readonly redis: Readonly<Record<string, RedisConfig>> },
  options: Omit<ShardOptions, 'sink' | 'gate'>,
): ReadonlyMap<string, Shard> {
  const { adder, isStock } = chooseAdder(options.log);
  options.metrics.stockScript.set(isStock ? 1 : 0);
  return new Map(
    Object.entries(redis).map(([name, config]) => {
      const connection = connect(name, config, 'ledger', options.log);
      const sink = createBullSink({ name, redis: connection, prefix: config.prefix, adder });
      return [name, new Shard({ ...options, sink, gate: config.gate })];
    }),
  );
}
