/** Opens the configured Redis, each with its sinks and gate. */

import { chooseAdder } from '../queue/bullmq/adder.ts';
import type { SidekiqConfig } from '../queue/config.ts';
import { createSinks } from '../queue/sinks.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect } from '../redis/connection.ts';
import { Shard, type ShardOptions } from './shard.ts';

export function openShards(
  { redis, sidekiq }: { readonly redis: Readonly<Record<string, RedisConfig>>; readonly sidekiq: SidekiqConfig },
  options: Omit<ShardOptions, 'sinks' | 'gate'>,
): ReadonlyMap<string, Shard> {
  const { adder, isStock } = chooseAdder(options.log);
  options.metrics.stockScript.set(isStock ? 1 : 0);
  return new Map(
    Object.entries(redis).map(([name, config]) => {
      const connection = connect(name, config, 'ledger', options.log);
      const { dialect } = sidekiq;
      const { now } = options.clock;
      const sinks = createSinks({ name, redis: connection, prefix: config.prefix, adder, dialect, now });
      return [name, new Shard({ ...options, sinks, gate: config.gate })];
    }),
  );
}
