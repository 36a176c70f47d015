/** Enqueues straight to BullMQ, as any program of its users would: stock `Queue.add`, ids by BullMQ. */
import { Queue } from 'bullmq';
import type { Job } from '../../job/job.ts';
import { bullOptions } from '../../job/options.ts';
import { lastError, type Redis, redisError } from '../../redis/connection.ts';
import { within } from '../../service.ts';

/** Closing waits for a connection that may never come. */
const CLOSE_WITHIN_MS = 1_000;

export interface DirectQueues {
  /** Resolves when every job is in Redis. A rejected call may have added some. */
  add(jobs: readonly Job[]): Promise<void>;
  close(): Promise<void>;
}

/** The caller closes the connection. `name` is that of the Redis in errors. */
export function createDirectQueues(connection: Redis, prefix: string, name: string): DirectQueues {
  const queues = new Map<string, Queue>();

  function queueOf(name: string): Queue {
    const known = queues.get(name);
    if (known !== undefined) return known;
    // A plain Queue would reset the history settings that others gave to this queue's events.
    const queue = new Queue(name, { connection, prefix, skipMetasUpdate: true });
    queue.on('error', () => undefined);
    queues.set(name, queue);
    return queue;
  }

  return {
    async add(jobs) {
      const byQueue = Map.groupBy(jobs, ({ queue }) => queue);
      try {
        // A Queue waits for its connection for ever; a command gives up after its tries.
        if (connection.status !== 'ready') await connection.ping();
        await Promise.all([...byQueue].map(([name, of]) => queueOf(name).addBulk(of.map(bulkJob))));
      } catch (error) {
        throw redisError(name, error, lastError(connection));
      }
    },
    async close() {
      await within(CLOSE_WITHIN_MS, Promise.all([...queues.values()].map((queue) => queue.close())));
    },
  };
}

function bulkJob(job: Job) {
  return {
    name: job.name,
    data: JSON.parse(job.data) as unknown,
    opts: { ...bullOptions(job, false), timestamp: job.timestamp },
  };
}
