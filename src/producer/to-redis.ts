/** By Redis: each event as a job on its queue, placed as the bridge would place it. Not gated: see the README. */
import { discoverWorkers, type WorkerSet } from '../definition/discover.ts';
import { placeJob } from '../job/place.ts';
import type { Log } from '../log.ts';
import { createDirectQueues } from '../queue/bullmq/direct.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { CheckedEvent } from './producer.ts';
import { openRedisWay } from './redis-way.ts';
import type { Settings } from './settings.ts';
import type { Transport } from './transport.ts';

const JOBS_AT_ONCE = 500;

export async function openRedis(settings: Settings, schemas: Schemas, log: Log): Promise<Transport<CheckedEvent>> {
  const { redis, workers: folder } = settings;
  const workers = await discoverWorkers(folder, schemas);
  const way = openRedisWay(redis, log);
  const queues = createDirectQueues(way.connection, redis.prefix, way.name);
  return {
    send: (events) =>
      way.attempt(async () => {
        for (let start = 0; start < events.length; start += JOBS_AT_ONCE) {
          await queues.add(events.slice(start, start + JOBS_AT_ONCE).map((each) => place(each, workers)));
        }
      }),
    async close() {
      await queues.close();
      await way.close();
    },
  };
}

function place({ event }: CheckedEvent, workers: WorkerSet) {
  return placeJob(event, workers.get(event.type), undefined, Date.now());
}
