/** All that BullMQ keeps of a queue, in a form that two queues can be compared in. */
import type { Redis } from '../../src/redis/connection.ts';

/** By the rest of the key. */
export type Content = Record<string, { readonly type: string; readonly value: unknown }>;

/** Every key under the prefix (`bull:mail:`), with type and content; ids of stream entries are times and left out. */
export async function contentOf(redis: Redis, prefix: string): Promise<Content> {
  const content: Content = {};
  for (const key of (await redis.keys(`${prefix}*`)).sort()) {
    const type = await redis.type(key);
    content[key.slice(prefix.length)] = { type, value: await READ[type]?.(redis, key) };
  }
  return content;
}

const READ: Record<string, (redis: Redis, key: string) => Promise<unknown>> = {
  string: (redis, key) => redis.get(key),
  list: (redis, key) => redis.lrange(key, 0, -1),
  set: async (redis, key) => (await redis.smembers(key)).sort(),
  zset: (redis, key) => redis.zrange(key, '0', '-1', 'WITHSCORES'),
  hash: async (redis, key) => {
    const hash = await redis.hgetall(key);
    return hash.opts === undefined ? hash : { ...hash, opts: withoutDefaults(JSON.parse(hash.opts) as object) };
  },
  stream: async (redis, key) => (await redis.xrange(key, '-', '+')).map(([, fields]) => fields),
};

/**
 * `Queue.add` repeats the id and the time in the options, where nothing reads them, and writes `attempts: 0` or a
 * priority of 0 where nobody asked for one. Lua's JSON has no order of its own.
 */
function withoutDefaults(options: object): object {
  const repeated = new Set(['jobId', 'timestamp']);
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== 0 && value !== undefined && !repeated.has(name)),
  );
}

/** Without the fields of a job that a lean queue's goes without. */
export function withoutZeroFields(content: Content): Content {
  const isNeeded = ([field, value]: [string, unknown]) => value !== '0' || (field !== 'delay' && field !== 'priority');
  const needed = (hash: unknown) => Object.fromEntries(Object.entries(hash as object).filter(isNeeded));
  return Object.fromEntries(
    Object.entries(content).map(([key, { type, value }]) => [
      key,
      { type, value: type === 'hash' ? needed(value) : value },
    ]),
  );
}
