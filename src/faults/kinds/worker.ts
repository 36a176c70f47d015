/** Faults of worker processes: Sluice's own hosts, and stock BullMQ workers. */
import { systemClock } from '../../clock.ts';
import { pick, type World } from '../world.ts';
import type { Kind } from './kind.ts';

/** Beyond the locks of its jobs, so that others run them. */
const STOPPED_MS = 12_000;
/** Spread over the hosts. */
const LONG_JOBS = 6;
const TAKEN_AFTER_MS = 1_000;
const SHIFT_MS = 3_600_000;
const SHIFTED_FOR_MS = 5_000;

export const HOSTS = 2;

async function signal({ fleet }: World, role: string, drawn: number, name: NodeJS.Signals): Promise<void> {
  const member = pick(fleet.of(role), drawn);
  const { ended } = member;
  member.kill(name);
  await ended;
}

/** Jobs that run for seconds, so that some are running. */
async function whileBusy({ place }: World, done: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: LONG_JOBS }, () => place({ do: 'course', course: 'long' })));
  await systemClock.sleep(TAKEN_AFTER_MS);
  await done();
}

export const WORKER_KINDS: readonly Kind[] = [
  {
    name: 'worker-kill',
    area: 'worker',
    does: 'kill -9 of a worker host with jobs running',
    inject: (world, random) => whileBusy(world, () => signal(world, 'host', random(), 'SIGKILL')),
  },
  {
    name: 'worker-stop',
    area: 'worker',
    does: 'SIGTERM to a worker host with jobs running',
    inject: (world, random) => whileBusy(world, () => signal(world, 'host', random(), 'SIGTERM')),
  },
  {
    name: 'worker-freeze',
    area: 'worker',
    does: "SIGSTOP of a worker host beyond its jobs' locks, then SIGCONT",
    async inject(world, random) {
      const member = pick(world.fleet.of('host'), random());
      member.kill('SIGSTOP');
      await systemClock.sleep(STOPPED_MS);
      member.kill('SIGCONT');
    },
  },
  {
    name: 'worker-clock-ahead',
    area: 'worker',
    does: 'a worker host starts whose clock jumps an hour ahead',
    async inject(world) {
      const { args, env } = world.host();
      const program = () => ({ args: ['--import', world.programs.shiftedClock(SHIFT_MS), ...args], env });
      await world.fleet.scale('shifted-host', 1, program);
      await systemClock.sleep(SHIFTED_FOR_MS);
      await world.fleet.scale('shifted-host', 0, program);
    },
  },
  {
    name: 'stock-worker-kill',
    area: 'worker',
    does: 'kill -9 of the stock BullMQ worker',
    inject: (world) => signal(world, 'stock', 0, 'SIGKILL'),
  },
  {
    name: 'worker-blocked',
    area: 'worker',
    does: "a job keeps its host's event loop busy for longer than locks last",
    inject: ({ place }) => place({ do: 'course', course: 'block' }),
  },
  {
    name: 'record-kills-host',
    area: 'worker',
    does: 'a record that takes its worker process down each time',
    inject: ({ place }) => place({ do: 'course', course: 'kill' }),
  },
];
