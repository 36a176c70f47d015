/** Faults of what Redis holds: emptied, put back to what it was, replaced by a replica that is behind. */
import { systemClock } from '../../clock.ts';
import { ownRedis, type World } from '../world.ts';
import type { Kind } from './kind.ts';

const SNAPSHOT_AGE_MS = 60_000;
const FRESH_SNAPSHOT_AGE_MS = 3_000;
/** Of the seconds that a long job takes. */
const HELD_MS = 3_500;
const BEHIND_MS = 4_000;

const SERVER = ['redis-server'] as const;

/** Jobs of some seconds run in most partitions; those above them get finished, as the metadata of the commits says. */
async function holdCommits({ place, partitions }: World): Promise<void> {
  await Promise.all(Array.from({ length: partitions * 2 }, () => place({ do: 'course', course: 'long' })));
  await systemClock.sleep(HELD_MS);
}

export const REDIS_LOSS_KINDS: readonly Kind[] = [
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
    inject: (world) => ownRedis(world).killEmpty(() => systemClock.sleep(500)),
  },
  {
    name: 'redis-snapshot-minute',
    area: 'redis',
    needs: SERVER,
    does: 'Redis killed and put back to a snapshot of a minute ago',
    inject: (world) => ownRedis(world).restore(SNAPSHOT_AGE_MS),
  },
  {
    name: 'redis-snapshot-seconds',
    area: 'redis',
    needs: SERVER,
    does: 'Redis killed and put back to a snapshot of some seconds ago',
    async inject(world) {
      await ownRedis(world).snapshot();
      await systemClock.sleep(FRESH_SNAPSHOT_AGE_MS);
      await ownRedis(world).restore(FRESH_SNAPSHOT_AGE_MS);
    },
  },
  {
    name: 'redis-stale-replica',
    area: 'redis',
    needs: SERVER,
    does: `failover to a replica that is ${BEHIND_MS / 1_000} s behind`,
    inject: (world) => ownRedis(world).failOver(BEHIND_MS),
  },
  {
    name: 'everything-kill',
    area: 'everything',
    needs: SERVER,
    does: 'kill -9 of all Sluice processes and of Redis at once; Redis starts empty',
    async inject(world) {
      await holdCommits(world);
      await ownRedis(world).killEmpty(async () => {
        for (const role of ['bridge', 'host', 'stock']) {
          for (const member of world.fleet.of(role)) member.kill('SIGKILL');
        }
      });
    },
  },
];
