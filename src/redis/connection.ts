/**
 * Connections to Redis, by what they are for. No client resends a ledger command by itself: what became of a
 * command that was under way when the connection broke is the ledger's to find out, and a second run of it
 * would be nobody's. A hung Redis fails a command after COMMAND_TIMEOUT_MS.
 *
 * A client that neither resends nor limits its retries never settles a command that was under way: a worker's does
 * resend, or BullMQ's fetch loop would wait for ever. Its scripts are guarded by the job's lock against a second run.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RedisConfig } from './config.ts';

export type { Redis } from 'ioredis';

/**
 * `ledger`: fails at once while the connection is down. `worker`: waits for ever, as BullMQ's blocking reads need.
 * `command`: a few tries, for commands and pages that must answer.
 */
export type Purpose = 'ledger' | 'worker' | 'command';

const COMMAND_TIMEOUT_MS = 3_000;

const OPTIONS: Record<Purpose, RedisOptions> = {
  ledger: {
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
  },
  worker: { autoResendUnfulfilledCommands: true, maxRetriesPerRequest: null },
  command: { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS },
};

/** Opens a connection that keeps reconnecting; each loss and return is one log line. `name` is the configured one. */
export function connect(name: string, config: Pick<RedisConfig, 'url'>, purpose: Purpose, log: Log): Redis {
  const options: RedisOptions = {
    ...addressOf(config.url),
    ...OPTIONS[purpose],
    connectionName: `sluice-${purpose}`,
    connectTimeout: 5_000,
    retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times, 5), 2_000),
  };
  const redis: Redis = new Redis({ ...options, replyMapping: 'legacy' });
  let isDown = false;
  redis.on('error', (err: unknown) => {
    if (!isDown)
      log.warn({ redis: name, url: maskUrl(config.url), reason: messageOf(err) }, 'redis is away; trying again');
    isDown = true;
  });
  redis.on('ready', () => {
    if (isDown) log.info({ redis: name }, 'redis is back');
    isDown = false;
  });
  return redis;
}

/** host, port, user, password, database and TLS of `redis[s]://[user[:password]@]host[:port][/db]`. */
function addressOf(url: string): RedisOptions {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1) || 0),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: { servername: hostname } }),
  };
}

/** The address without its password. */
export function maskUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = '***';
  return parsed.href;
}

/** Closes without waiting for a Redis that does not answer. */
export async function disconnect(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    await redis.quit().catch(() => undefined);
  }
  redis.disconnect();
}

/** An error of the Redis client in Sluice's terms; without its command, which holds payloads. */
export function redisError(name: string, error: unknown): SluiceError {
  const text = messageOf(error);
  const refuses = /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|NOREPLICAS|MISCONF|CLUSTERDOWN)\b/.exec(text);
  return refuses
    ? new SluiceError('REDIS_REFUSES', `Redis ${name} refuses for now: ${text}`)
    : new SluiceError('UNREACHABLE', `Redis ${name} does not answer: ${text}`);
}
