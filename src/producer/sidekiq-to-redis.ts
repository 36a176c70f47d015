/** By Redis: each job on its queue or in the schedule, as Sidekiq's own client would leave it. Not gated: see the README. */
import { DEFAULT_SIDEKIQ_QUEUE, stampedText } from '../job/sidekiq-job.ts';
import type { Log } from '../log.ts';
import { addDirectly, type DirectSidekiqJob } from '../queue/sidekiq/direct.ts';
import { openRedisWay } from './redis-way.ts';
import type { SettledSidekiq } from './settings.ts';
import type { CheckedSidekiqJob } from './sidekiq-options.ts';
import type { Transport } from './transport.ts';

export function openSidekiqRedis({ redis, dialect }: SettledSidekiq, log: Log): Transport<CheckedSidekiqJob> {
  const way = openRedisWay(redis, log);

  function place({ job, ...stamp }: CheckedSidekiqJob): DirectSidekiqJob {
    const queue = job.queue ?? DEFAULT_SIDEKIQ_QUEUE;
    return { queue, text: stampedText(job, { ...stamp, queue, dialect }), atMs: job.atMs };
  }

  return {
    send: (jobs) => way.attempt(() => addDirectly(way.connection, jobs.map(place), dialect, way.name)),
    close: way.close,
  };
}
