/** What is settled about each topic before its first record: its stages, the outlets that it can reach, its fingerprint. */
import type { Treatment } from '../job/place.ts';
import type { QueueConfig, SidekiqConfig } from '../queue/config.ts';
import { Rooms } from '../queue/sidekiq/packing.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { TopicConfig } from './config.ts';
import type { Stages } from './cut.ts';
import { createDecoder } from './decode.ts';
import { fingerprint } from './fingerprint.ts';
import { createRouter, reachableShards } from './route.ts';
import type { Outlet, Shard } from './shard.ts';
import { createSidekiqPacker } from './sidekiq-packer.ts';

export interface TopicPlan {
  readonly stages: Stages;
  readonly outlets: readonly Outlet[];
  readonly fingerprint: string;
}

export interface PlanContext extends Omit<Stages, 'decode' | 'route' | 'packer'> {
  readonly config: {
    readonly kafka: { readonly groupId: string };
    readonly topics: Readonly<Record<string, TopicConfig>>;
    readonly queues: Readonly<Record<string, QueueConfig>>;
    readonly sidekiq: SidekiqConfig;
  };
  readonly shards: ReadonlyMap<string, Shard>;
  readonly schemas: Schemas;
  readonly treatment: (type: string) => Treatment | undefined;
  /** Called for the queue of every job. */
  readonly onQueue: (queue: string, target: TopicConfig['target']) => void;
}

/** By topic. */
export function planTopics(context: PlanContext): (topic: string) => TopicPlan {
  const rooms = new Rooms();
  const plans = new Map(
    Object.entries(context.config.topics).map(([topic, settings]) => [topic, plan(settings, context, rooms)]),
  );
  return (topic) => plans.get(topic) as TopicPlan;
}

function plan(settings: TopicConfig, context: PlanContext, rooms: Rooms): TopicPlan {
  const { config, shards, schemas, treatment, onQueue, letters, delays, metrics, clock } = context;
  const reachable = reachableShards(settings, config);
  const router = createRouter(settings, { ...config, treatment });
  const route: Stages['route'] = (event, now, id) => {
    const routed = router(event, now, id);
    if ('job' in routed) onQueue(routed.job.queue, settings.target);
    return routed;
  };
  return {
    stages: {
      decode: createDecoder(settings, schemas),
      route,
      packer: settings.target === 'sidekiq' ? packer(settings, context, rooms) : undefined,
      letters,
      delays,
      metrics,
      clock,
    },
    outlets: reachable.map((name) => outletOf(shards.get(name) as Shard, settings)),
    fingerprint: fingerprint(settings, reachable, config.queues),
  };
}

function packer(topic: TopicConfig, { config, onQueue }: PlanContext, rooms: Rooms): Stages['packer'] {
  return createSidekiqPacker({ topic, routing: config, rooms, onQueue: (queue) => onQueue(queue, 'sidekiq') });
}

function outletOf(shard: Shard, { target, settle }: TopicConfig): Outlet {
  const { bullmq, sidekiq } = shard.sinks;
  return { shard, sink: target === 'sidekiq' ? sidekiq[settle] : bullmq };
}
