/**
 * Where the jobs are that a ledger waits for: on queues, in the schedule, among those to be tried again, in private lists of
 * Sluice's hosts, at work, or dead. Sidekiq can be asked for none of them, so everything is read, page by page; a job that
 * stays where it is while it is read is seen, one that moves meanwhile may be missed. A key of another kind holds no job, and
 * hides none of the others. Source: Sidekiq's api.rb.
 */
import { messageOf } from '../../errors.ts';
import { trackedSourceIn } from '../../job/sidekiq-job.ts';
import { askRedis, type Redis } from '../../redis/connection.ts';
import { REPORTER_SILENT_S, SIDEKIQ_PRIVATE_LISTS, SIDEKIQ_REPORTERS } from '../../redis/keys.ts';
import { isHostOfSluice } from './process.ts';

/** Jobs to a page: from few on, for they may be large. */
const FIRST_PAGE = 20;
const LARGEST_PAGE = 500;
const PAGE_CHARACTERS = 2_097_152;
/** A page begins so far before the end of the last one, as a share of it: somebody may delete jobs in between. */
const OVERLAP = 0.2;

export interface Seen {
  /** A job that waits, or is to run again. */
  readonly living: (source: string) => void;
  /** In the set of dead jobs. */
  readonly dead: (source: string, text: string) => void;
}

export interface SidekiqCensus {
  /** Processes whose heartbeat is there, each with the time of the last one as it was written. */
  beats(): Promise<ReadonlyMap<string, string>>;
  /** What these processes ran at their last heartbeat. */
  running(processes: Iterable<string>): Promise<string[]>;
  /** Queues that some of these processes work on without telling what becomes of their jobs, each with such a process. */
  silentQueues(processes: Iterable<string>): Promise<ReadonlyMap<string, string>>;
  read(seen: Seen): Promise<void>;
}

/** `name`: of the Redis, in errors. */
export function createCensus(name: string, redis: Redis): SidekiqCensus {
  const ask = <T>(question: () => Promise<T>) => askRedis(name, question);

  async function orNone<T>(none: T, question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      if (messageOf(error).startsWith('WRONGTYPE')) return none;
      throw error;
    }
  }

  /** From the left: what is pushed meanwhile is seen twice, what is taken from the right leaves the rest in its place. */
  async function readList(key: string, see: (text: string) => void): Promise<void> {
    let size = FIRST_PAGE;
    for (let start = 0; ; ) {
      const page = await redis.lrange(key, start, start + size - 1);
      page.forEach(see);
      if (page.length < size) return;
      start += Math.floor(size * (1 - OVERLAP));
      size = nextSize(size, page);
    }
  }

  async function readSet(key: string, see: (text: string) => void): Promise<void> {
    let [cursor, size] = ['0', FIRST_PAGE];
    do {
      const [next, page] = await redis.zscan(key, cursor, 'COUNT', size);
      for (let i = 0; i < page.length; i += 2) see(page[i] as string);
      cursor = next;
      size = nextSize(size, page);
    } while (cursor !== '0');
  }

  const list = (key: string, see: (text: string) => void) => orNone(undefined, () => readList(key, see));
  const set = (key: string, see: (text: string) => void) => orNone(undefined, () => readSet(key, see));
  const membersOf = (key: string) => orNone<string[]>([], () => redis.smembers(key));

  return {
    beats: () =>
      ask(async () => {
        const processes = await membersOf('processes');
        const beats = await Promise.all(processes.map((each) => orNone(null, () => redis.hget(each, 'beat'))));
        return new Map(processes.flatMap((each, i) => (beats[i] == null ? [] : [[each, beats[i]]])));
      }),

    running: (processes) =>
      ask(async () => {
        const found: string[] = [];
        for (const each of processes) {
          // Up to 6.4.1, and from 6.4.2 on.
          for (const key of [`${each}:workers`, `${each}:work`])
            found.push(...(await orNone<string[]>([], () => redis.hvals(key))));
        }
        return found.flatMap((work) => trackedSourceIn(payloadOf(work)) ?? []);
      }),

    silentQueues: (processes) =>
      ask(async () => {
        const [now] = await redis.time();
        const since = Number(now) - REPORTER_SILENT_S;
        const telling = await orNone<string[]>([], () => redis.zrangebyscore(SIDEKIQ_REPORTERS, since, '+inf'));
        const queues = new Map<string, string>();
        for (const each of processes) {
          if (telling.includes(each)) continue;
          const info = await orNone(null, () => redis.hget(each, 'info'));
          if (!isHostOfSluice(info)) for (const queue of queuesIn(info)) queues.set(queue, each);
        }
        return queues;
      }),

    read: ({ living, dead }) =>
      ask(async () => {
        const see = (text: string) => {
          const source = trackedSourceIn(text);
          if (source !== undefined) living(source);
        };
        // In the direction in which jobs move: one that comes back to its queue is seen where it came from.
        await set('schedule', see);
        await set('retry', see);
        for (const queue of await membersOf('queues')) await list(`queue:${queue}`, see);
        for (const key of await membersOf(SIDEKIQ_PRIVATE_LISTS)) await list(key, see);
        await set('dead', (text) => {
          const source = trackedSourceIn(text);
          if (source !== undefined) dead(source, text);
        });
      }),
  };
}

function nextSize(size: number, page: readonly string[]): number {
  const characters = page.reduce((sum, { length }) => sum + length, 0);
  return characters > PAGE_CHARACTERS
    ? Math.max(FIRST_PAGE / 2, Math.floor(size / 2))
    : Math.min(LARGEST_PAGE, size * 2);
}

/** Of what a process says of itself. */
function queuesIn(info: string | null): string[] {
  try {
    const { queues } = JSON.parse(info ?? '{}') as { queues?: unknown };
    return Array.isArray(queues) ? queues.map(String) : [];
  } catch {
    return [];
  }
}

/** The text of the job, or the job itself, inside of what a process says that it does. */
function payloadOf(work: string): string {
  try {
    const { payload } = JSON.parse(work) as { payload?: unknown };
    return typeof payload === 'string' ? payload : JSON.stringify(payload ?? '');
  } catch {
    return '';
  }
}
