/**
 * Redis as seen from outside: its memory, and every job's creation out of the queues' own event streams, told apart by
 * branch of Redis's history. A wipe begins a new branch, a restore forks one off at the snapshot. The streams are part
 * of what is wiped and restored; they are read by one client in turns, so that no event is told for a wrong branch.
 */
import { systemClock } from '../../clock.ts';
import { silentLog } from '../../log.ts';
import { connect, type Redis } from '../../redis/connection.ts';
import { within } from '../../service.ts';
import type { History } from '../history.ts';

const LOOK_MS = 100;
const STOP_MS = 2_000;
const READ_AT_ONCE = 5_000;
/** Of a queue's event stream, so that nothing is trimmed before it was read. */
const KEPT_EVENTS = 1_000_000;
const START = '0-0';

export interface RedisWatchOptions {
  readonly url: string;
  readonly prefix: string;
  readonly queues: readonly string[];
  readonly history: History;
  /** For the memory's readings. */
  readonly bridges: () => number;
}

type Entries = [id: string, fields: string[]][];

export class RedisWatch {
  readonly #options: RedisWatchOptions;
  readonly #last = new Map<string, string>();
  readonly #stopping = new AbortController();
  #redis: Redis;
  #branch = 0;
  #isPaused = true;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #looking: Promise<void>;
  #usedBytes = 0;

  constructor(options: RedisWatchOptions) {
    this.#options = options;
    this.#redis = connect('watch', options, 'command', silentLog);
    this.#looking = this.#lookUntilStopped();
  }

  /** For commands of the kit's own. */
  get redis(): Redis {
    return this.#redis;
  }

  get branch(): number {
    return this.#branch;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Reads on from nothing: Redis is new, or all that it held is gone. */
  async begin(): Promise<void> {
    await this.#inTurn(async () => this.#open({}, undefined));
  }

  /** Empties Redis; what the streams held until then is read by the same transaction. */
  async wipe(): Promise<void> {
    await this.#inTurn(async () => {
      const transaction = this.#redis.multi();
      for (const queue of this.#options.queues) transaction.xrange(this.#key(queue), this.#after(queue), '+');
      const answers = (await transaction.flushall().exec()) ?? [];
      for (const [i, queue] of this.#options.queues.entries()) this.#tell(queue, (answers[i]?.[1] ?? []) as Entries);
      await this.#open({}, undefined);
    });
  }

  /** Reads to the end, and then no more until the next `begin` or `fork`. Redis may be away. */
  async pause(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#read().catch(() => undefined);
      this.#isPaused = true;
    });
  }

  /** Reads on at the Redis with this address, which holds an earlier state of `parent`; nobody writes to it yet. */
  async fork(url: string, parent: number): Promise<void> {
    await this.#inTurn(async () => {
      this.#redis.disconnect();
      this.#redis = connect('watch', { url }, 'command', silentLog);
      const upTo: Record<string, string> = {};
      for (const queue of this.#options.queues) {
        const [newest] = (await this.#redis.xrevrange(this.#key(queue), '+', '-', 'COUNT', 1)) as Entries;
        upTo[queue] = newest?.[0] ?? START;
      }
      await this.#open(upTo, parent);
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await within(STOP_MS, this.#looking);
    await within(STOP_MS, this.pause());
    this.#redis.disconnect();
  }

  async #open(upTo: Readonly<Record<string, string>>, parent: number | undefined): Promise<void> {
    this.#branch += 1;
    this.#last.clear();
    for (const [queue, entry] of Object.entries(upTo)) this.#last.set(queue, entry);
    const { history, queues } = this.#options;
    history.append({ is: 'branch', branch: this.#branch, ...(parent !== undefined && { parent, upTo }) });
    this.#isPaused = false;
    const { prefix } = this.#options;
    const keep = queues.map((queue) => this.#redis.hset(`${prefix}:${queue}:meta`, 'opts.maxLenEvents', KEPT_EVENTS));
    await Promise.all(keep).catch(() => undefined);
  }

  async #lookUntilStopped(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#inTurn(async () => {
        if (!this.#isPaused) await this.#read();
      }).catch(() => undefined);
      await systemClock.sleep(LOOK_MS, signal);
    }
  }

  async #read(): Promise<void> {
    const { history, queues, bridges } = this.#options;
    const info = await this.#redis.info('memory');
    this.#usedBytes = Number(/^used_memory:(\d+)/m.exec(info)?.[1] ?? 0);
    history.append({ is: 'memory', usedBytes: this.#usedBytes, bridges: bridges() });
    for (const queue of queues) await this.#readQueue(queue);
  }

  async #readQueue(queue: string): Promise<void> {
    const key = this.#key(queue);
    for (;;) {
      const entries = (await this.#redis.xrange(key, this.#after(queue), '+', 'COUNT', READ_AT_ONCE)) as Entries;
      this.#tell(queue, entries);
      if (entries.length < READ_AT_ONCE) break;
    }
    const last = this.#last.get(queue);
    if (last !== undefined) await this.#redis.xtrim(key, 'MINID', '~', last);
  }

  #tell(queue: string, entries: Entries): void {
    for (const [entry, fields] of entries) {
      this.#last.set(queue, entry);
      if (fields[fields.indexOf('event') + 1] !== 'added') continue;
      const job = fields[fields.indexOf('jobId') + 1] ?? '';
      this.#options.history.append({ is: 'added', branch: this.#branch, queue, job, entry });
    }
  }

  #after(queue: string): string {
    return `(${this.#last.get(queue) ?? START}`;
  }

  #key(queue: string): string {
    return `${this.#options.prefix}:${queue}:events`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}
