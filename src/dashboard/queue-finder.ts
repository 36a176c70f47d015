/**
 * Finds queues by their `meta` hashes. Redis has no list of them, and a backlog is a key for each job: so each step looks
 * at a bounded number of keys, and the next goes on from there.
 */
import type { Redis } from '../redis/connection.ts';

const KEYS_A_CALL = 1_000;
const CALLS_A_STEP = 25;

export interface QueueFinder {
  /** Names of queues among the next keys. */
  step(): Promise<string[]>;
}

export function createQueueFinder(redis: Redis, prefix: string): QueueFinder {
  const pattern = `${prefix.replace(/[\\*?[\]]/g, '\\$&')}:*:meta`;
  let cursor = '0';

  function nameOf(key: string): string {
    return key.slice(prefix.length + 1, -':meta'.length);
  }

  return {
    async step() {
      const names = new Set<string>();
      for (let call = 0; call < CALLS_A_STEP; call += 1) {
        const [next, keys] = await redis.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_A_CALL);
        for (const key of keys) names.add(nameOf(key));
        cursor = next;
        if (cursor === '0') break;
      }
      // A queue's name holds no colon; what does is some other key of the queue library.
      return [...names].filter((name) => name !== '' && !name.includes(':')).sort();
    },
  };
}
