/** Faults of the way to Redis, and of one that answers nothing. */
import { systemClock } from '../../clock.ts';
import { ownRedis } from '../world.ts';
import type { Kind } from './kind.ts';

const HANGS_MS = 5_000;
const CUT_MS = 4_000;

export const REDIS_AWAY_KINDS: readonly Kind[] = [
  {
    name: 'redis-hang',
    area: 'redis',
    needs: ['redis-server'],
    does: 'SIGSTOP of Redis: it closes no connection and answers nothing',
    async inject(world) {
      ownRedis(world).pause();
      await systemClock.sleep(HANGS_MS);
      ownRedis(world).resume();
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
