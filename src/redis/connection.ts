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
import { maskUrl } from './address.ts';
import type { RedisConfig } from './config.ts';

export type { Redis } from 'ioredis';

/**
 * `ledger`: fails at once while the connection is down. `worker`: waits for ever, as BullMQ's blocking reads need.
 * `command`: a few tries, for commands and pages that must answer.
 */
export type Purpose = 'ledger' | 'worker' | 'command';

const COMMAND_TIMEOUT_MS = 3_000;
/** A worker's reads wait ten seconds at most: a connection that is silent for longer is dead, though nobody closed it. */
const WORKER_SILENCE_MS = 30_000;

const OPTIONS: Record<Purpose, RedisOptions> = {
  ledger: {
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
  },
  worker: { autoResendUnfulfilledCommands: true, maxRetriesPerRequest: null, socketTimeout: WORKER_SILENCE_MS },
  command: { autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 1, commandTimeout: COMMAND_TIMEOUT_MS },
};

/** Configurations whose Redis is away: a process has several connections to it, and tells of it once. */
const away = new WeakSet<object>();
const reasons = new WeakMap<Redis, string>();

/** Why a connection is down; a command that fails says only how often it was tried. */
export function lastError(redis: Redis): string | undefined {
  return reasons.get(redis);
}

/** Opens a connection that keeps reconnecting; loss and return are one log line each. `name` is the configured one. */
export function connect(name: string, config: Pick<RedisConfig, 'url'>, purpose: Purpose, log: Log): Redis {
  const options: RedisOptions = {
    ...addressOf(config.url),
    ...OPTIONS[purpose],
    connectionName: `sluice-${purpose}`,
    connectTimeout: 5_000,
    // After a failover, the address may already lead to another server than the connection.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times, 5), 2_000),
  };
  const redis: Redis = new Redis({ ...options, replyMapping: 'legacy' });
  redis.on('error', (error: unknown) => {
    const reason = messageOf(error);
    reasons.set(redis, reason);
    if (!away.has(config)) log.warn({ redis: name, url: maskUrl(config.url), reason }, 'redis is away; trying again');
    away.add(config);
  });
  redis.on('ready', () => {
    reasons.delete(redis);
    if (away.delete(config)) log.info({ redis: name }, 'redis is back');
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

/** Closes without waiting for a Redis that does not answer. */
export async function disconnect(redis: Redis): Promise<void> {
  if (redis.status === 'ready') {
    await redis.quit().catch(() => undefined);
  }
  redis.disconnect();
}

/** Asks Redis; its errors become ours, see `redisError`. */
export async function askRedis<T>(name: string, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    throw redisError(name, error);
  }
}

/** What the client says of a command without a connection speaks of its streams and options. */
const NOT_CONNECTED = /^Stream isn't writeable/;

/**
 * An error of the Redis client in Sluice's terms; without its command, which holds payloads. `why` the connection is
 * down tells more than the client's own words.
 */
export function redisError(name: string, error: unknown, why?: string): SluiceError {
  const text = NOT_CONNECTED.test(messageOf(error)) ? 'it is not connected' : messageOf(error);
  const refuses = /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|NOREPLICAS|MISCONF|CLUSTERDOWN)\b/.exec(text);
  return refuses
    ? new SluiceError('REDIS_REFUSES', `Redis ${name} refuses for now: ${text}`)
    : new SluiceError('UNREACHABLE', `Redis ${name} does not answer: ${why ?? text}`);
}
