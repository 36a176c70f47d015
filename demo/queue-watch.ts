/**
 * Counts what happens on a queue by reading BullMQ's own event stream from its beginning: jobs created, created
 * twice, completed. The stream is asked to keep more than usual, so that none is missed.
 */

import { silentLog } from '../src/log.ts';
import { connect, disconnect } from '../src/redis/connection.ts';

const KEPT_EVENTS = 5_000_000;
const READ_AT_ONCE = 5_000;
const WAIT_MS = 200;

export interface QueueWatch {
  readonly created: number;
  readonly createdTwice: number;
  readonly completed: number;
  stop(): Promise<void>;
}

type Entries = [id: string, fields: string[]][];

export async function watchQueue(url: string, queue: string, prefix = 'bull'): Promise<QueueWatch> {
  const redis = connect('demo', { url }, 'worker', silentLog);
  const key = `${prefix}:${queue}:events`;
  await redis.hset(`${prefix}:${queue}:meta`, 'opts.maxLenEvents', KEPT_EVENTS);
  const added = new Set<string>();
  const done = new Set<string>();
  let createdTwice = 0;
  let isStopped = false;

  function count([, fields]: Entries[number]): void {
    const event = fields[fields.indexOf('event') + 1];
    const id = fields[fields.indexOf('jobId') + 1] ?? '';
    if (event === 'completed') done.add(id);
    if (event !== 'added') return;
    if (added.has(id)) createdTwice += 1;
    added.add(id);
  }

  const reading = (async () => {
    let last = '0';
    while (!isStopped) {
      const answer = await redis.xread('COUNT', READ_AT_ONCE, 'BLOCK', WAIT_MS, 'STREAMS', key, last).catch(() => null);
      const entries = (answer?.[0]?.[1] ?? []) as Entries;
      for (const entry of entries) count(entry);
      last = entries.at(-1)?.[0] ?? last;
    }
  })();

  return {
    get created() {
      return added.size;
    },
    get createdTwice() {
      return createdTwice;
    },
    get completed() {
      return done.size;
    },
    async stop() {
      isStopped = true;
      await reading;
      await disconnect(redis);
    },
  };
}
