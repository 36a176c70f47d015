/**
 * Counts what happens on a queue by reading BullMQ's own event stream from its beginning: jobs created, created
 * twice, completed. The stream is asked to keep more than usual, so that none is missed, and what was read is trimmed.
 */
import { silentLog } from '../src/log.ts';
import { connect, disconnect } from '../src/redis/connection.ts';
import { within } from '../src/service.ts';

const KEPT_EVENTS = 5_000_000;
const READ_AT_ONCE = 5_000;
const WAIT_MS = 200;
const STOP_MS = 2_000;

export interface QueueWatch {
  readonly created: number;
  readonly createdTwice: number;
  readonly completed: number;
  /** Resolves once the stream has been read to its end. */
  caughtUp(): Promise<void>;
  stop(): Promise<void>;
}

type Entries = [id: string, fields: string[]][];

export async function watchQueue(url: string, queue: string, prefix: string): Promise<QueueWatch> {
  const redis = connect('demo', { url }, 'worker', silentLog);
  const key = `${prefix}:${queue}:events`;
  await redis.hset(`${prefix}:${queue}:meta`, 'opts.maxLenEvents', KEPT_EVENTS);
  const added = new Set<string>();
  const done = new Set<string>();
  let createdTwice = 0;
  let last = '0';
  let isStopped = false;
  let onEnd: (() => void)[] = [];

  function count([, fields]: Entries[number]): void {
    const event = fields[fields.indexOf('event') + 1];
    const id = fields[fields.indexOf('jobId') + 1] ?? '';
    if (event === 'completed') done.add(id);
    if (event !== 'added') return;
    if (added.has(id)) createdTwice += 1;
    added.add(id);
  }

  async function readOnce(): Promise<void> {
    const waiting = onEnd;
    const answer = await redis.xread('COUNT', READ_AT_ONCE, 'BLOCK', WAIT_MS, 'STREAMS', key, last);
    const entries = (answer?.[0]?.[1] ?? []) as Entries;
    for (const entry of entries) count(entry);
    last = entries.at(-1)?.[0] ?? last;
    if (entries.length > 0) return void (await redis.xtrim(key, 'MINID', '~', last));
    onEnd = onEnd.filter((each) => !waiting.includes(each));
    for (const resolve of waiting) resolve();
  }

  const reading = (async () => {
    // A connection that breaks is opened again by the next command, which waits for it.
    while (!isStopped) await readOnce().catch(() => undefined);
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
    caughtUp: () =>
      new Promise((resolve) => {
        onEnd = [...onEnd, resolve];
      }),
    async stop() {
      isStopped = true;
      await within(STOP_MS, reading);
      await disconnect(redis);
    },
  };
}
