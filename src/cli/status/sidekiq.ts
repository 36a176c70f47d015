/** A Sidekiq as its own Web counts it, and which of its processes tell the ledger what becomes of their jobs. */
import { millisecondsOf } from '../../job/sidekiq-job.ts';
import { isHostOfSluice } from '../../queue/sidekiq/process.ts';
import type { Redis } from '../../redis/connection.ts';
import { REPORTER_SILENT_S, SIDEKIQ_REPORTERS } from '../../redis/keys.ts';
import type { SidekiqStatus } from './shape.ts';

/** The longest ones; there may be thousands. */
const QUEUES_SHOWN = 20;

/** Null where there is none. By Redis's clock: processes say by it when they told something. */
export async function sidekiqStatus(redis: Redis, name: string): Promise<SidekiqStatus | null> {
  const now = Number((await redis.time())[0]) * 1_000;
  const [names, processes, scheduled, retries, dead, reporting] = await Promise.all([
    redis.smembers('queues'),
    processesIn(redis),
    redis.zcard('schedule'),
    redis.zcard('retry'),
    redis.zcard('dead'),
    redis.zrangebyscore(SIDEKIQ_REPORTERS, now / 1_000 - REPORTER_SILENT_S, '+inf'),
  ]);
  if (names.length + processes.length + scheduled + retries + dead === 0) return null;
  const lengths = await Promise.all(names.map((queue) => redis.llen(`queue:${queue}`)));
  const queues = names.map((queue, i) => ({ queue, waiting: lengths[i] ?? 0 }));
  const longest = queues.sort((a, b) => b.waiting - a.waiting).slice(0, QUEUES_SHOWN);
  return {
    redis: name,
    processes: processes.length,
    silentProcesses: processes.flatMap(({ id, isOurs }) => (isOurs || reporting.includes(id) ? [] : [id])),
    busy: processes.reduce((sum, { busy }) => sum + busy, 0),
    waiting: lengths.reduce((sum, length) => sum + length, 0),
    scheduled,
    retries,
    dead,
    queues: await Promise.all(
      longest.map(async (each) => ({ ...each, latencySeconds: await latencyOf(redis, each.queue, now) })),
    ),
  };
}

async function processesIn(redis: Redis) {
  const listed = await redis.smembers('processes');
  const found = await Promise.all(listed.map(async (id) => ({ id, about: await redis.hmget(id, 'busy', 'info') })));
  return found.flatMap(({ id, about: [busy = null, info = null] }) =>
    busy === null ? [] : [{ id, busy: Number(busy), isOurs: isHostOfSluice(info) }],
  );
}

/** Age of the job that is next. */
async function latencyOf(redis: Redis, queue: string, now: number): Promise<number> {
  const next = await redis.lindex(`queue:${queue}`, -1);
  try {
    const at = millisecondsOf(Reflect.get(Object(JSON.parse(next ?? 'null')), 'enqueued_at'));
    return at === undefined ? 0 : Math.max(0, (now - at) / 1_000);
  } catch {
    return 0;
  }
}
