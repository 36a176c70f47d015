/** Faults of Redis: what it holds, whether it answers, and what it refuses. */
import { systemClock } from '../../clock.ts';
import type { LocalRedis } from '../local-redis.ts';
import type { World } from '../world.ts';
import type { Kind } from './kind.ts';
import { HOSTS } from './worker.ts';

const REFUSES_MS = 4_000;
const HANGS_MS = 5_000;
const BUSY_MS = 3_000;
const LOADS_MS = 2_500;
const CUT_MS = 4_000;
const SNAPSHOT_AGE_MS = 60_000;
const FRESH_SNAPSHOT_AGE_MS = 3_000;
/** Of the seconds that a long job takes. */
const HELD_MS = 4_000;
const BEHIND_MS = 4_000;
/** More than fits below the gate's threshold. */
const FLOOD_RECORDS = 8_000;
const FLOOD_WITHIN_MS = 15_000;

const SERVER = ['redis-server'] as const;

function own({ redis }: World): LocalRedis {
  if (redis === undefined) throw new Error('this Redis is not the own one');
  return redis;
}

/** A setting for a while. */
async function whileSet({ redisWatch }: World, name: string, value: string, ms: number): Promise<void> {
  const [, before = ''] = (await redisWatch.redis.config('GET', name)) as string[];
  await redisWatch.redis.config('SET', name, value);
  await systemClock.sleep(ms);
  await redisWatch.redis.config('SET', name, before);
}

/** Jobs of some seconds run in most partitions; those above them get finished, as the metadata of the commits says. */
async function holdCommits({ produce, partitions }: World): Promise<void> {
  for (let i = 0; i < partitions * 2; i++) produce({ do: 'course', course: 'long' });
  await systemClock.sleep(HELD_MS);
}

const LOST: readonly Kind[] = [
  {
    name: 'redis-flushall',
    area: 'redis',
    needs: ['flushall'],
    does: 'FLUSHALL',
    inject: ({ redisWatch }) => redisWatch.wipe(),
  },
  {
    name: 'redis-flushall-held',
    area: 'redis',
    needs: ['flushall'],
    does: 'FLUSHALL while long jobs hold the commit back, and those above them are finished',
    async inject(world) {
      await holdCommits(world);
      await world.redisWatch.wipe();
    },
  },
  {
    name: 'redis-kill',
    area: 'redis',
    needs: SERVER,
    does: 'kill -9 of Redis, started again empty',
    inject: (world) => own(world).killEmpty(() => systemClock.sleep(500)),
  },
  {
    name: 'redis-snapshot-minute',
    area: 'redis',
    needs: SERVER,
    does: 'Redis killed and put back to a snapshot of a minute ago',
    inject: (world) => own(world).restore(SNAPSHOT_AGE_MS),
  },
  {
    name: 'redis-snapshot-seconds',
    area: 'redis',
    needs: SERVER,
    does: 'Redis killed and put back to a snapshot of some seconds ago',
    async inject(world) {
      await own(world).snapshot();
      await systemClock.sleep(FRESH_SNAPSHOT_AGE_MS);
      await own(world).restore(FRESH_SNAPSHOT_AGE_MS);
    },
  },
  {
    name: 'redis-stale-replica',
    area: 'redis',
    needs: SERVER,
    does: `failover to a replica that is ${BEHIND_MS / 1_000} s behind`,
    inject: (world) => own(world).failOver(BEHIND_MS),
  },
];

const AWAY: readonly Kind[] = [
  {
    name: 'redis-hang',
    area: 'redis',
    needs: SERVER,
    does: 'SIGSTOP of Redis: it closes no connection and answers nothing',
    async inject(world) {
      own(world).pause();
      await systemClock.sleep(HANGS_MS);
      own(world).resume();
    },
  },
  {
    name: 'redis-cut-bridges',
    area: 'redis',
    needs: ['redis-network'],
    does: 'the network between bridges and Redis breaks',
    async inject({ toRedis }) {
      toRedis?.bridges.cut();
      await systemClock.sleep(CUT_MS);
      toRedis?.bridges.mend();
    },
  },
  {
    name: 'redis-cut-workers',
    area: 'redis',
    needs: ['redis-network'],
    does: 'the network between workers and Redis breaks',
    async inject({ toRedis }) {
      toRedis?.workers.cut();
      await systemClock.sleep(CUT_MS);
      toRedis?.workers.mend();
    },
  },
  {
    name: 'redis-silence',
    area: 'redis',
    needs: ['redis-network'],
    does: 'the network to Redis drops everything and closes nothing',
    async inject({ toRedis }) {
      for (const network of [toRedis?.bridges, toRedis?.workers]) network?.freeze();
      await systemClock.sleep(HANGS_MS);
      for (const network of [toRedis?.bridges, toRedis?.workers]) network?.mend();
    },
  },
];

const REFUSES: readonly Kind[] = [
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

const ALL: readonly Kind[] = [
  {
    name: 'everything-kill',
    area: 'everything',
    needs: SERVER,
    does: 'kill -9 of all Sluice processes and of Redis at once; Redis starts empty',
    async inject(world) {
      await holdCommits(world);
      await own(world).killEmpty(async () => {
        for (const role of ['bridge', 'host', 'stock']) {
          for (const member of world.fleet.of(role)) member.kill('SIGKILL');
        }
      });
    },
  },
];

export const REDIS_KINDS: readonly Kind[] = [...LOST, ...AWAY, ...REFUSES, ...ALL];
