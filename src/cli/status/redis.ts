/** Memory of a Redis, and the counts of BullMQ queues on it. Reads a handful of keys by name; it scans nothing. */
import type { Redis } from '../../redis/connection.ts';
import type { QueueStatus, RedisStatus } from './shape.ts';

export async function memoryOf(redis: Redis): Promise<Pick<RedisStatus, 'usedBytes' | 'maxBytes' | 'systemBytes'>> {
  const info = await redis.info('memory');
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  return {
    usedBytes: field('used_memory'),
    maxBytes: field('maxmemory'),
    systemBytes: field('total_system_memory'),
  };
}

/** Queues that do not exist count as empty. */
export async function countQueue(redis: Redis, name: string, prefix: string, queue: string): Promise<QueueStatus> {
  const key = (part: string) => `${prefix}:${queue}:${part}`;
  const [waiting, active, delayed, prioritized, failed, isPaused] = await Promise.all([
    redis.llen(key('wait')),
    redis.llen(key('active')),
    redis.zcard(key('delayed')),
    redis.zcard(key('prioritized')),
    redis.zcard(key('failed')),
    redis.hexists(key('meta'), 'paused'),
  ]);
  return { queue, redis: name, isPaused: isPaused === 1, waiting, active, delayed, prioritized, failed };
}
