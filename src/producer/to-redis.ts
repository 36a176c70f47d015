/** By Redis: each event as a job on its queue, placed as the bridge would place it. Not gated: see the README. */
import { discoverWorkers, type WorkerSet } from '../definition/discover.ts';
import { isSluiceError, SluiceError } from '../errors.ts';
import { placeJob } from '../job/place.ts';
import type { Log } from '../log.ts';
import { createDirectQueues } from '../queue/bullmq/direct.ts';
import { connect, disconnect, maskUrl } from '../redis/connection.ts';
import type { Schemas } from '../schema/schemas.ts';
import type { CheckedEvent, Transport } from './producer.ts';
import type { Settings } from './settings.ts';

const JOBS_AT_ONCE = 500;

export async function openRedis({ redis, workers: folder }: Settings, schemas: Schemas, log: Log): Promise<Transport> {
  const workers = await discoverWorkers(folder, schemas);
  const connection = connect('producer', redis, 'command', log);
  const queues = createDirectQueues(connection, redis.prefix, `at ${maskUrl(redis.url)}`);
  let wasConnected = false;
  connection.once('ready', () => {
    wasConnected = true;
  });

  /** Without a connection there is no doubt about what became of the events. */
  function withFate(error: unknown): unknown {
    if (wasConnected || !isSluiceError(error, 'UNREACHABLE')) return error;
    return new SluiceError('UNREACHABLE', error.message, { cause: error, isUnsent: true });
  }

  return {
    async send(events) {
      try {
        for (let start = 0; start < events.length; start += JOBS_AT_ONCE) {
          await queues.add(events.slice(start, start + JOBS_AT_ONCE).map((each) => place(each, workers)));
        }
      } catch (error) {
        throw withFate(error);
      }
    },
    async close() {
      await queues.close();
      await disconnect(connection);
    },
  };
}

function place({ event }: CheckedEvent, workers: WorkerSet) {
  return placeJob(event, workers.get(event.type), undefined, Date.now());
}
