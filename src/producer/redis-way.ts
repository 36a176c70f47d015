/** The connection of what goes straight to Redis. Errors say whether anything can have arrived. */
import { isSluiceError, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { maskUrl } from '../redis/address.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect, disconnect, type Redis } from '../redis/connection.ts';

export interface RedisWay {
  readonly connection: Redis;
  /** Of the Redis, in errors. */
  readonly name: string;
  attempt<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openRedisWay(redis: RedisConfig, log: Log): RedisWay {
  const connection = connect('producer', redis, 'command', log);
  let wasConnected = false;
  connection.once('ready', () => {
    wasConnected = true;
  });

  /** Without a connection there is no doubt about what became of the work. */
  function withFate(error: unknown): unknown {
    if (wasConnected || !isSluiceError(error, 'UNREACHABLE')) return error;
    return new SluiceError('UNREACHABLE', error.message, { cause: error, isUnsent: true });
  }

  return {
    connection,
    name: `at ${maskUrl(redis.url)}`,
    async attempt(work) {
      try {
        return await work();
      } catch (error) {
        throw withFate(error);
      }
    },
    close: () => disconnect(connection),
  };
}
