/**
 * Stage 3: where an event goes. A topic's rule outranks the event's own wish, which outranks its worker's
 * definition. An event that nobody is known to run, and that has no queue of its own, is unroutable.
 */
import { messageOf } from '../errors.ts';
import type { Event, Job } from '../job/job.ts';
import { placeJob, type Treatment } from '../job/place.ts';
import type { QueueConfig } from '../queue/config.ts';
import type { TopicConfig } from './config.ts';
import type { Rejection } from './decode.ts';

export interface Routed {
  /** Name of the Redis. */
  readonly shard: string;
  readonly job: Job;
}

export type Router = (event: Event, now: number) => Routed | Rejection;

export interface Routing {
  readonly queues: Readonly<Record<string, QueueConfig>>;
  /** What the known workers say, by message type. */
  readonly treatment: (type: string) => Treatment | undefined;
}

const DEFAULT_REDIS = 'main';
/** BullMQ refuses ':' in names; the rest keeps keys readable. */
const QUEUE_NAME = /^[^:{}\s\p{Cc}]{1,200}$/u;

export function createRouter(topic: TopicConfig, reachable: readonly string[], routing: Routing): Router {
  return (event, now) => {
    const definition = routing.treatment(event.type);
    const queue = ruledQueue(topic, event);
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
    return { shard, job };
  };
}

function ruledQueue({ queue }: TopicConfig, event: Event): string | undefined | Rejection {
  if (typeof queue !== 'function') return queue;
  try {
    const name: unknown = queue(event);
    return typeof name === 'string'
      ? name
      : unroutable(`the topic's queue rule answered ${typeof name} instead of a name`);
  } catch (error) {
    return unroutable(`the topic's queue rule failed: ${messageOf(error)}`);
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
export function reachableShards(topic: TopicConfig, queues: Readonly<Record<string, QueueConfig>>): readonly string[] {
  if (topic.queues !== undefined) return unique(topic.queues.map((queue) => shardOf(queue, queues)));
  if (typeof topic.queue === 'string') return [shardOf(topic.queue, queues)];
  return unique([DEFAULT_REDIS, ...Object.values(queues).map(({ redis }) => redis)]);
}

function unique(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort();
}
