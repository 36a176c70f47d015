/** Faults of a Redis that refuses: full, read-only, loading, busy, set wrongly. */
import { systemClock } from '../../clock.ts';
import type { World } from '../world.ts';
import type { Kind } from './kind.ts';
import { HOSTS } from './worker.ts';

const REFUSES_MS = 4_000;
const BUSY_MS = 3_000;
const LOADS_MS = 2_500;
/** More than fits below the gate's threshold. */
const FLOOD_RECORDS = 8_000;
const FLOOD_WITHIN_MS = 15_000;

const SERVER = ['redis-server'] as const;

/** A setting for a while. */
async function whileSet({ redisWatch }: World, name: string, value: string, ms: number): Promise<void> {
  const [, before = ''] = (await redisWatch.redis.config('GET', name)) as string[];
  await redisWatch.redis.config('SET', name, value);
  await systemClock.sleep(ms);
  await redisWatch.redis.config('SET', name, before);
}

export const REDIS_REFUSAL_KINDS: readonly Kind[] = [
  {
    name: 'redis-oom',
    area: 'redis',
    needs: SERVER,
    does: 'maxmemory below what is used: writes are refused',
    inject: (world) => whileSet(world, 'maxmemory', '1mb', REFUSES_MS),
  },
  {
    name: 'redis-readonly',
    area: 'redis',
    needs: SERVER,
    does: 'Redis is made a replica for a while: READONLY',
    async inject({ redisWatch: { redis } }) {
      // Nobody listens there, so nothing is taken over.
      await redis.replicaof('127.0.0.1', 1);
      await systemClock.sleep(REFUSES_MS);
      await redis.replicaof('NO', 'ONE');
    },
  },
  {
    name: 'redis-loading',
    area: 'redis',
    needs: SERVER,
    does: 'Redis loads what it holds anew: LOADING',
    async inject({ redisWatch: { redis } }) {
      const keys = Math.max(1, await redis.dbsize());
      await redis.config('SET', 'key-load-delay', Math.ceil((LOADS_MS * 1_000) / keys));
      await redis.config('SET', 'loading-process-events-interval-bytes', 1_024);
      await redis.call('DEBUG', 'RELOAD').catch(() => undefined);
      await systemClock.sleep(LOADS_MS);
      await redis.config('SET', 'key-load-delay', 0);
    },
  },
  {
    name: 'redis-busy',
    area: 'redis',
    needs: SERVER,
    does: 'a Lua script that does not end: BUSY, then SCRIPT KILL',
    async inject({ redisWatch: { redis } }) {
      await redis.config('SET', 'busy-reply-threshold', 100);
      const second = redis.duplicate();
      second.on('error', () => undefined);
      second.eval('while true do end', 0).catch(() => undefined);
      await systemClock.sleep(BUSY_MS);
      await redis.script('KILL');
      second.disconnect();
    },
  },
  {
    name: 'redis-evicts',
    area: 'redis',
    needs: SERVER,
    does: 'an eviction policy that loses keys is set for a while',
    inject: (world) => whileSet(world, 'maxmemory-policy', 'allkeys-lru', REFUSES_MS),
  },
  {
    name: 'redis-script-flush',
    area: 'redis',
    needs: SERVER,
    does: 'SCRIPT FLUSH',
    async inject({ redisWatch: { redis } }) {
      await redis.script('FLUSH');
    },
  },
  {
    name: 'redis-full',
    area: 'redis',
    does: 'no worker runs, and more is produced than fits below the gate',
    async inject({ fleet, host, stock, produce, progress }) {
      await Promise.all([fleet.scale('host', 0, host), fleet.scale('stock', 0, stock)]);
      const until = progress.acked + FLOOD_RECORDS;
      produce({ do: 'burst', records: FLOOD_RECORDS });
      const deadline = Date.now() + FLOOD_WITHIN_MS;
      while (progress.acked < until && Date.now() < deadline) await systemClock.sleep(100);
      await Promise.all([fleet.scale('host', HOSTS, host), fleet.scale('stock', 1, stock)]);
    },
  },
];
