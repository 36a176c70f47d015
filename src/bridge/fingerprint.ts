/**
 * Says which shard a record of a topic goes to (rule 5). Written beside each commit: when it differs, what was
 * enqueued and is not settled may lie where the new routing does not look.
 * A topic that reaches one shard has that shard for its fingerprint, however its queues are chosen there. BullMQ's jobs
 * and Sidekiq's lie in different places of one shard.
 */
import { createHash } from 'node:crypto';
import type { QueueConfig } from '../queue/config.ts';
import type { TopicConfig } from './config.ts';

export function fingerprint(
  topic: TopicConfig,
  shards: readonly string[],
  queues: Readonly<Record<string, QueueConfig>>,
): string {
  const routing = shards.length === 1 ? [] : [String(topic.queue), placesOf(queues)];
  const target = topic.target === 'bullmq' ? [] : [topic.target];
  return createHash('sha256')
    .update(JSON.stringify([shards, ...routing, ...target]))
    .digest('hex')
    .slice(0, 16);
}

function placesOf(queues: Readonly<Record<string, QueueConfig>>): [string, string][] {
  return Object.entries(queues)
    .map(([name, { redis }]): [string, string] => [name, redis])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}
