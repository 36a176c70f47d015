/** The worker role: one host for each BullMQ queue that this process serves, and one for all Sidekiq queues. */

import type { WorkerSet } from '../definition/discover.ts';
import type { Log } from '../log.ts';
import { isTestedSource } from '../queue/bullmq/source.ts';
import type { QueueConfig, SidekiqConfig } from '../queue/config.ts';
import type { RedisConfig } from '../redis/config.ts';
import { connect, disconnect, type Purpose, type Redis } from '../redis/connection.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { Service } from '../service.ts';
import type { AttemptContext, TakenJob } from './attempt.ts';
import type { Host } from './host.ts';
import { createBullHost } from './hosts/bullmq.ts';
import { createSidekiqHost } from './hosts/sidekiq.ts';

export interface WorkOptions extends Omit<AttemptContext, 'find' | 'onAttempt'> {
  readonly config: {
    readonly redis: Readonly<Record<string, RedisConfig>>;
    readonly queues: Readonly<Record<string, QueueConfig>>;
    readonly sidekiq: SidekiqConfig;
  };
  readonly workers: WorkerSet;
  readonly schemas: Schemas;
  /** Somebody asked in Sidekiq's Web for the end of this process. */
  readonly onTerm: () => void;
}

export interface Work extends Service {
  /** Jobs that run at the moment, by BullMQ queue. */
  busy(): Readonly<Record<string, number>>;
}

const UNTESTED =
  'the installed BullMQ is another than the tested one: its own scripts take and complete jobs, more slowly';
const DEFAULT_CONCURRENCY = 50;
const DEFAULT_REDIS = 'main';

export function createWork(options: WorkOptions): Work {
  const { config, workers, log } = options;
  const connections = new Map<string, Redis>();
  const onAttempt = tellFirstJobs(log);
  const queues = [...new Set([...workers.queues(), ...Object.keys(config.queues)])].sort();

  function connectionTo(name: string, purpose: Purpose): Redis {
    const key = `${purpose} ${name}`;
    const known = connections.get(key);
    if (known !== undefined) return known;
    const connection = connect(name, config.redis[name] as RedisConfig, purpose, log);
    connections.set(key, connection);
    return connection;
  }

  const bullHosts: readonly Host[] = queues.map((queue) => {
    const settings = config.queues[queue];
    const name = settings?.redis ?? DEFAULT_REDIS;
    const redis = config.redis[name] as RedisConfig;
    const concurrency = settings?.concurrency ?? DEFAULT_CONCURRENCY;
    return createBullHost({
      ...options,
      onAttempt,
      queue,
      prefix: redis.prefix,
      concurrency,
      connection: connectionTo(name, 'worker'),
    });
  });
  const sidekiqHosts: readonly Host[] = workers.sidekiq.all().length === 0 ? [] : [sidekiqHost()];
  const hosts = [...bullHosts, ...sidekiqHosts];

  function sidekiqHost(): Host {
    const { redis, dialect, concurrency } = config.sidekiq;
    // One whose taking of jobs is sent again by itself would hold jobs that it does not know of.
    const connection = connectionTo(redis, 'command');
    return createSidekiqHost({ ...options, workers: workers.sidekiq, onAttempt, dialect, concurrency, connection });
  }

  return {
    async start() {
      if (queues.length > 0 && !isTestedSource()) log.warn({}, UNTESTED);
      await Promise.all(hosts.map((host) => host.start()));
      const served = queues.length + workers.sidekiq.queues().length;
      log.info({ queues: served, workers: workers.all().length + workers.sidekiq.all().length }, 'workers started');
    },

    async stop(deadlineMs) {
      await Promise.all(hosts.map((host) => host.stop(deadlineMs)));
      await Promise.all([...connections.values()].map(disconnect));
    },

    busy: () => Object.fromEntries(bullHosts.map((host) => [host.queue, host.busy])),
  };
}

/** That a queue is worked on is worth a line; each of its jobs is not. */
function tellFirstJobs(log: Log): (job: TakenJob) => void {
  const begun = new Set<string>();
  return ({ queue, name, id }) => {
    if (begun.has(queue)) return;
    begun.add(queue);
    log.info({ queue, message: name, jobId: id }, 'first job of the queue');
  };
}
