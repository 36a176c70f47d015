/** What is settled about each topic before its first record: its stages, the shards that it can reach, its fingerprint. */
import type { Treatment } from '../job/place.ts';
import type { QueueConfig } from '../queue/config.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { TopicConfig } from './config.ts';
import { createDecoder } from './decode.ts';
import type { Stages } from './feed.ts';
import { fingerprint } from './fingerprint.ts';
import { createRouter, reachableShards } from './route.ts';
import type { Shard } from './shard.ts';

export interface TopicPlan {
  readonly stages: Stages;
  readonly shards: readonly Shard[];
  readonly fingerprint: string;
}

export interface PlanContext extends Omit<Stages, 'decode' | 'route'> {
  readonly config: {
    readonly topics: Readonly<Record<string, TopicConfig>>;
    readonly queues: Readonly<Record<string, QueueConfig>>;
  };
  readonly shards: ReadonlyMap<string, Shard>;
  readonly schemas: Schemas;
  readonly treatment: (type: string) => Treatment | undefined;
  /** Called for the queue of every job. */
  readonly onQueue: (queue: string) => void;
}

/** By topic. */
export function planTopics(context: PlanContext): (topic: string) => TopicPlan {
  const plans = new Map(
    Object.entries(context.config.topics).map(([topic, settings]) => [topic, plan(settings, context)]),
  );
  return (topic) => plans.get(topic) as TopicPlan;
}

function plan(settings: TopicConfig, context: PlanContext): TopicPlan {
  const { config, shards, schemas, treatment, onQueue, letters, delays, metrics, clock } = context;
  const reachable = reachableShards(settings, config.queues);
  const router = createRouter(settings, reachable, { queues: config.queues, treatment });
  const route: Stages['route'] = (event, now) => {
    const routed = router(event, now);
    if ('job' in routed) onQueue(routed.job.queue);
    return routed;
  };
  return {
    stages: { decode: createDecoder(settings, schemas), route, letters, delays, metrics, clock },
    shards: reachable.map((name) => shards.get(name) as Shard),
    fingerprint: fingerprint(settings, reachable, config.queues),
  };
}
