/** Faults of bridge processes. */
import { systemClock } from '../../clock.ts';
import { pick, type World } from '../world.ts';
import type { Kind } from './kind.ts';

/** Beyond the session's timeout: the group goes on without the stopped one. */
const ZOMBIE_MS = 6_000;
const STORM_STEP_MS = 1_500;
const DEPLOY_STEP_MS = 1_000;
const SHIFT_MS = 3_600_000;
const SHIFTED_FOR_MS = 5_000;

export const BRIDGES = 2;
/** As many as two cores carry. */
const STORM_BRIDGES = 4;

async function signal(world: World, drawn: number, name: NodeJS.Signals): Promise<void> {
  const member = pick(world.fleet.of('bridge'), drawn);
  const { ended } = member;
  member.kill(name);
  await ended;
}

async function shifted(world: World, byMs: number): Promise<void> {
  const { args, env } = world.bridge();
  const program = () => ({ args: ['--import', world.programs.shiftedClock(byMs), ...args], env });
  await world.fleet.scale('shifted-bridge', 1, program);
  await systemClock.sleep(SHIFTED_FOR_MS);
  await world.fleet.scale('shifted-bridge', 0, program);
}

export const BRIDGE_KINDS: readonly Kind[] = [
  {
    name: 'bridge-kill',
    area: 'bridge',
    does: 'kill -9 of a bridge under load',
    inject: (world, random) => signal(world, random(), 'SIGKILL'),
  },
  {
    name: 'bridge-stop',
    area: 'bridge',
    does: 'SIGTERM to a bridge under load, as a deploy does it',
    inject: (world, random) => signal(world, random(), 'SIGTERM'),
  },
  {
    name: 'bridge-zombie',
    area: 'bridge',
    does: 'SIGSTOP of a bridge beyond its session, then SIGCONT',
    async inject(world, random) {
      const member = pick(world.fleet.of('bridge'), random());
      member.kill('SIGSTOP');
      await systemClock.sleep(ZOMBIE_MS);
      member.kill('SIGCONT');
    },
  },
  {
    name: 'bridge-storm',
    area: 'bridge',
    does: `rebalances: from 1 to ${STORM_BRIDGES} to 1 bridges, one after the other`,
    async inject({ fleet, bridge }) {
      for (const count of [1, 2, 3, STORM_BRIDGES, 3, 1]) {
        await fleet.scale('bridge', count, bridge);
        await systemClock.sleep(STORM_STEP_MS);
      }
      await fleet.scale('bridge', BRIDGES, bridge);
    },
  },
  {
    name: 'bridge-clock-ahead',
    area: 'bridge',
    does: 'a bridge joins whose clock jumps an hour ahead',
    inject: (world) => shifted(world, SHIFT_MS),
  },
  {
    name: 'bridge-clock-behind',
    area: 'bridge',
    does: 'a bridge joins whose clock jumps an hour back',
    inject: (world) => shifted(world, -SHIFT_MS),
  },
  {
    name: 'bridges-all-kill',
    area: 'bridge',
    does: 'kill -9 of all bridges at once',
    async inject({ fleet }) {
      const members = fleet.of('bridge');
      for (const member of members) member.kill('SIGKILL');
      await Promise.all(members.map(({ ended }) => ended));
    },
  },
  {
    name: 'rolling-deploy',
    area: 'everything',
    does: 'SIGTERM to every process, one after the other',
    async inject({ fleet }) {
      for (const member of ['bridge', 'host', 'stock'].flatMap((role) => fleet.of(role))) {
        const { ended } = member;
        member.kill('SIGTERM');
        await ended;
        await systemClock.sleep(DEPLOY_STEP_MS);
      }
    },
  },
];
