/**
 * Stage 3: where an event goes. A topic's rule outranks the event's own wish, which outranks its worker's
 * definition. An event that nobody is known to run, and that has no queue of its own, is unroutable.
 */
import { messageOf } from '../errors.ts';
import { groupMark, idOfGroup } from '../job/identity.ts';
import type { Event, Job } from '../job/job.ts';
import { leanJob, placeJob, type Treatment } from '../job/place.ts';
import { placeSidekiqJob } from '../job/place-sidekiq.ts';
import { SIDEKIQ_QUEUE_NAME } from '../job/sidekiq-fields.ts';
import type { QueueConfig, SidekiqConfig } from '../queue/config.ts';
import type { NameRule, TopicConfig } from './config.ts';
import type { Rejection } from './decode.ts';

export interface Routed {
  /** Name of the Redis. */
  readonly shard: string;
  readonly job: Job;
}

/** `id`: of the record's job; a Sidekiq job's is derived from it. */
export type Router = (event: Event, now: number, id: string) => Routed | Rejection;

export interface Routing {
  readonly kafka: { readonly groupId: string };
  readonly sidekiq: SidekiqConfig;
  readonly queues: Readonly<Record<string, QueueConfig>>;
  /** What the known workers say, by message type. */
  readonly treatment: (type: string) => Treatment | undefined;
}

const DEFAULT_REDIS = 'main';
/** BullMQ refuses ':' in names; the rest keeps keys readable. */
const QUEUE_NAME = /^[^:{}\s\p{Cc}]{1,200}$/u;

export function createRouter(topic: TopicConfig, routing: Routing): Router {
  return topic.target === 'sidekiq' ? sidekiqRouter(topic, routing) : bullRouter(topic, routing);
}

function sidekiqRouter(topic: TopicConfig, { kafka, sidekiq: { redis: shard, dialect } }: Routing): Router {
  const isTracked = topic.settle === 'acknowledged';
  const mark = groupMark(kafka.groupId);
  return (event, now, id) => {
    const queue = ruled('queue', topic.queue, event);
    if (typeof queue === 'object') return queue;
    const name = event.sidekiq?.class ?? ruled('class', topic.class, event) ?? '';
    if (typeof name === 'object') return name;
    if (name === '') return unroutable(`no class runs ${event.type}`);
    const job = placeSidekiqJob(event, {
      id: idOfGroup(id, mark),
      isTracked,
      queue,
      class: name,
      arguments: topic.arguments,
      dialect,
      now,
    });
    if (SIDEKIQ_QUEUE_NAME.test(job.queue)) return { shard, job };
    return unroutable(`"${job.queue}" is no Sidekiq queue: up to 200 letters, digits, '_', '-', '.' and ':'`);
  };
}

function bullRouter(topic: TopicConfig, routing: Routing): Router {
  const reachable = reachableShards(topic, routing);
  return (event, now) => {
    const definition = routing.treatment(event.type);
    const queue = ruled('queue', topic.queue, event);
    if (typeof queue === 'object') return queue;
    if (queue === undefined && !event.queue && definition === undefined) {
      return unroutable(`no worker runs ${event.type}, and neither the record nor its topic names a queue`);
    }
    const job = placeJob(event, definition, queue, now);
    if (!QUEUE_NAME.test(job.queue))
      return unroutable(`"${job.queue}" is no queue name: up to 200 characters, no ':', '{', '}' or blanks`);
    const shard = shardOf(job.queue, routing.queues);
    if (!reachable.includes(shard)) {
      return unroutable(`queue ${job.queue} is on Redis ${shard}, which the topic's "queues" do not list`);
    }
    return { shard, job: routing.queues[job.queue]?.lean ? leanJob(job, event) : job };
  };
}

function ruled(what: string, rule: NameRule | undefined, event: Event): string | undefined | Rejection {
  if (typeof rule !== 'function') return rule;
  try {
    const name: unknown = rule(event);
    return typeof name === 'string'
      ? name
      : unroutable(`the topic's ${what} rule answered ${typeof name} instead of a name`);
  } catch (error) {
    return unroutable(`the topic's ${what} rule failed: ${messageOf(error)}`);
  }
}

function unroutable(error: string): Rejection {
  return { reason: 'unroutable', error };
}

export function shardOf(queue: string, queues: Readonly<Record<string, QueueConfig>>): string {
  return queues[queue]?.redis ?? DEFAULT_REDIS;
}

/**
 * The shards that a topic's records can reach: those of the queues that it names. A topic that leaves the queue to
 * records and workers can reach every queue that is known, and `main` for the others.
 */
export function reachableShards(
  topic: TopicConfig,
  { queues, sidekiq }: Pick<Routing, 'queues' | 'sidekiq'>,
): readonly string[] {
  if (topic.target === 'sidekiq') return [sidekiq.redis];
  if (topic.queues !== undefined) return unique(topic.queues.map((queue) => shardOf(queue, queues)));
  if (typeof topic.queue === 'string') return [shardOf(topic.queue, queues)];
  return unique([DEFAULT_REDIS, ...Object.values(queues).map(({ redis }) => redis)]);
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
