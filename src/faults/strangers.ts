/** Servers of somebody else: nothing there is taken for the kit's own, and nothing of the kit's stays there. */
import type { Admin } from 'kafkajs';
import { SluiceError } from '../errors.ts';
import type { Redis } from '../redis/connection.ts';
import { sourcesKey, takingsKey } from '../redis/keys.ts';

/** What a Redis of somebody else holds. Throws UNFIT when the key, which is to be the kit's, is there already. */
export async function usedBytes(redis: Redis, key: string): Promise<number> {
  if ((await redis.exists(key)) > 0) throw new SluiceError('UNFIT', `Redis has a key ${key}; choose another prefix`);
  return Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1] ?? 0);
}

export interface Made {
  readonly topic: string;
  readonly groupId: string;
  readonly kafkaWatch: { readonly admin: Admin };
  readonly redisWatch: { readonly redis: Redis };
}

/** Takes away the topics, and the keys of queues and ledgers, that were made. */
export async function cleanUp({ topic, groupId, kafkaWatch, redisWatch }: Made, prefix: string): Promise<void> {
  const { admin } = kafkaWatch;
  const isOwn = (name: string) => name === topic || name.startsWith(`${topic}.`);
  await admin.deleteTopics({ topics: (await admin.listTopics()).filter(isOwn) });
  const { redis } = redisWatch;
  const sources = `${sourcesKey()}:k~${topic}`;
  const ofQueues = [`${prefix}:*`, `${takingsKey(`${prefix}:`)}:*`];
  for (const match of [...ofQueues, `sluice:*:${groupId}*`, `sluice:*:${topic}.*`, `${sources}~*`, `${sources}.*`]) {
    for await (const keys of redis.scanStream({ match, count: 1_000 }) as AsyncIterable<string[]>)
      if (keys.length > 0) await redis.unlink(...keys);
  }
}
