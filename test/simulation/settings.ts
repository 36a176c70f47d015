/** What a world is made of, by its seed: how many partitions and Redis, what goes wrong in it, and how often. */
import type { BridgeOptions } from './bridge.ts';
import { Chance } from './chance.ts';
import { Faults } from './faults.ts';
import { History } from './history.ts';
import { Judge } from './judge.ts';
import { SimulatedKafka } from './kafka.ts';
import { type Contents, PartitionLog } from './partition-log.ts';
import { SimulatedRedis } from './redis.ts';
import { SideTopics } from './stages.ts';

const PARTITIONS = [2, 3, 4];
const REDIS = [['A'], ['A', 'B']];
const LONGEST_SPANS = [0, 0, 8, 400];

export interface Settings extends BridgeOptions {
  readonly contents: Contents;
}

export function settingsOf(seed: number): Settings {
  const chance = new Chance(seed);
  const faults = new Faults(chance);
  const history = new History();
  const shards = chance.oneOf(REDIS);
  const logs = Array.from({ length: chance.oneOf(PARTITIONS) }, () => new PartitionLog());
  const topics = new SideTopics({ logs, chance, faults });
  const judge = new Judge(logs, history, topics.isCarried.bind(topics));
  const parts = { logs, chance, faults, history, judge };
  const redis = shards.map((name) => new SimulatedRedis({ ...parts, name }));
  const contents = { shards, longestSpan: chance.oneOf(LONGEST_SPANS) };
  return { ...parts, contents, topics, redis, kafka: new SimulatedKafka(parts) };
}
