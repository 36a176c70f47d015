/**
 * One Redis as the bridge sees it: the sinks, the gate in front of it, and the two batches that may be under way.
 * Readings come with every answer and from a sampler in between. A Redis that refuses or does not answer closes
 * the gate; nothing here throws for it.
 */
import type { Clock } from '../clock.ts';
import { isSluiceError, messageOf, SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Sink, Sinks } from '../queue/sink.ts';
import type { GateConfig } from '../redis/config.ts';
import type { Service } from '../service.ts';
import { Footprint } from './footprint.ts';
import { type Cause, closed, decide, type GateState, type Thresholds, thresholds } from './gate.ts';
import { Slots } from './slots.ts';

const BATCHES_IN_FLIGHT = 2;
const SAMPLE_OPEN_MS = 1_000;
const SAMPLE_CLOSED_MS = 250;
const SAMPLE_FIRST_MS = 50;
/** Longest wait for a connection before the bridge starts without it. */
const FIRST_SAMPLE_MS = 2_000;
/**
 * Room below the threshold for what no batch's size tells: buffers of batches on their way, and Redis's own tables,
 * which grow in steps.
 */
const ROOM_BYTES = 2_097_152;
const ROOM_SHARE = 0.02;

/** Queues by the library that they are of: two of one name are two queues. */
export type QueueNames = Readonly<Record<'bullmq' | 'sidekiq', readonly string[]>>;

export interface ShardOptions {
  readonly sinks: Sinks;
  readonly gate: GateConfig;
  /** Queues whose depth the gate watches. */
  readonly queues: () => QueueNames;
  readonly onChange: (shard: Shard) => void;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

/** The queues of one library in one shard. */
export interface Outlet {
  readonly shard: Shard;
  readonly sink: Sink;
}

export class Shard implements Service {
  readonly sinks: Sinks;
  readonly slots = new Slots(BATCHES_IN_FLIGHT);
  readonly footprint = new Footprint();
  #state: GateState = { isOpen: false, cause: 'redis-away' };
  #since: number;
  #limits: Thresholds | undefined;
  #usedBytes = 0;
  #inFlightBytes = 0;
  #depth = 0;
  /** Why this Redis cannot be used, as it was logged. */
  #unfitFor = '';
  #running: Promise<void> | undefined;
  readonly #options: ShardOptions;
  readonly #stopping = new AbortController();

  constructor(options: ShardOptions) {
    this.sinks = options.sinks;
    this.#options = options;
    this.#since = options.clock.now();
  }

  get name(): string {
    return this.sinks.name;
  }

  get isOpen(): boolean {
    return this.#state.isOpen;
  }

  /** Whether the last call was answered; a full Redis is, and can be looked at. */
  get isReachable(): boolean {
    return this.#state.isOpen || this.#state.cause !== 'redis-away';
  }

  /** What status and dashboard show. */
  get view() {
    return {
      redis: this.name,
      isOpen: this.#state.isOpen,
      cause: this.#state.cause,
      since: this.#since,
      usedBytes: this.#usedBytes,
      closeAtBytes: this.#limits?.closeAtBytes ?? 0,
      openAtBytes: this.#limits?.openAtBytes ?? 0,
    };
  }

  /** Takes the first reading; rejects CONFIG or UNFIT when this Redis can never serve, keeps trying when it is away. */
  async start(): Promise<void> {
    await this.#firstSample();
    this.#running = this.#sampleUntilStopped();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.sinks.close();
  }

  /** Whether a batch of this size fits below the threshold; closes the gate when it does not. */
  admit(bytes: number): boolean {
    if (!this.isOpen || this.#limits === undefined) return false;
    const { closeAtBytes } = this.#limits;
    const room = Math.min(ROOM_BYTES, closeAtBytes * ROOM_SHARE);
    if (this.#usedBytes + this.#inFlightBytes + bytes + room < closeAtBytes) return true;
    this.#become(closed(this.#state, 'memory'));
    return false;
  }

  /** Brackets a batch on its way. */
  sent(bytes: number): void {
    this.#inFlightBytes += bytes;
  }

  answered(bytes: number): void {
    this.#inFlightBytes -= bytes;
  }

  /** The reading that came with the answer to a batch. */
  enqueued(reply: { usedBytes: number; depth: number; created: number }, textBytes: number): void {
    this.footprint.learn(reply.usedBytes - this.#usedBytes, textBytes, reply.created);
    this.#options.metrics.bytesPerJob.set({ redis: this.name }, this.footprint.bytesPerJob);
    this.read(reply.usedBytes, reply.depth);
  }

  read(usedBytes: number, depth = this.#depth): void {
    this.#usedBytes = usedBytes;
    this.#depth = depth;
    this.#options.metrics.redisUsedBytes.set({ redis: this.name }, usedBytes);
    if (this.#limits === undefined) return;
    this.#become(decide(this.#state, { usedBytes, inFlightBytes: this.#inFlightBytes, depth }, this.#limits));
  }

  /** Closes the gate for a Redis that failed a call; the sampler opens it again. */
  failed(error: unknown): void {
    const cause: Cause = isSluiceError(error, 'REDIS_REFUSES') ? 'redis-refuses' : 'redis-away';
    this.#become(closed(this.#state, cause), messageOf(error));
  }

  #become(next: GateState, reason?: string): void {
    if (next === this.#state) return;
    const { log, metrics, clock, onChange } = this.#options;
    const isChange = next.isOpen !== this.#state.isOpen;
    this.#state = next;
    if (!isChange) return;
    this.#since = clock.now();
    const redis = this.name;
    metrics.gateOpen.set({ redis }, next.isOpen ? 1 : 0);
    metrics.gateChanges.inc({ redis, to: next.isOpen ? 'open' : 'closed', cause: next.cause });
    log.info({ ...this.view, since: undefined, reason }, next.isOpen ? 'gate opened' : 'gate closed');
    onChange(this);
  }

  /** A connection that is being made is not yet one that is away. */
  async #firstSample(): Promise<void> {
    const { clock } = this.#options;
    const until = clock.now() + FIRST_SAMPLE_MS;
    const { signal } = this.#stopping;
    do {
      await this.#sample();
      if (this.isReachable) return;
      await clock.sleep(SAMPLE_FIRST_MS, signal);
    } while (clock.now() < until && !signal.aborted);
  }

  async #sampleUntilStopped(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.isOpen ? SAMPLE_OPEN_MS : SAMPLE_CLOSED_MS, signal);
      if (signal.aborted) return;
      await this.#sample().catch((error: unknown) => this.#unfit(error));
    }
  }

  /** It was away when the bridge started, or was changed since: the gate stays closed until it is mended. */
  #unfit(error: unknown): void {
    const reason = messageOf(error);
    if (reason !== this.#unfitFor) this.#options.log.error({ redis: this.name, reason }, 'this redis cannot be used');
    this.#unfitFor = reason;
    this.#become(closed(this.#state, 'redis-refuses'), reason);
  }

  async #sample(): Promise<void> {
    try {
      const memory = await this.sinks.memory();
      requireFit(this.name, memory.evictionPolicy, memory.version);
      this.#limits = thresholds(this.name, this.#options.gate, memory.maxBytes, memory.systemBytes);
      this.#unfitFor = '';
      const depth = Number.isFinite(this.#limits.closeAtDepth) ? await this.#deepest() : 0;
      this.read(memory.usedBytes, depth);
    } catch (error) {
      if (!isSluiceError(error, 'REDIS_REFUSES') && !isSluiceError(error, 'UNREACHABLE')) throw error;
      this.failed(error);
    }
  }

  async #deepest(): Promise<number> {
    const { bullmq, sidekiq } = this.#options.queues();
    const depths = [await this.sinks.bullmq.depths(bullmq), await this.sinks.sidekiq.enqueued.depths(sidekiq)];
    return Math.max(0, ...depths.flatMap((each) => [...each.values()]));
  }
}

const OLDEST_MAJOR = 7;

function requireFit(name: string, evictionPolicy: string, version: string): void {
  if (evictionPolicy !== '' && evictionPolicy !== 'noeviction') {
    throw new SluiceError(
      'UNFIT',
      `Redis ${name} evicts keys (maxmemory-policy ${evictionPolicy}), which loses jobs. ` +
        'Set it: redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf',
    );
  }
  if (Number.parseInt(version, 10) < OLDEST_MAJOR) {
    throw new SluiceError('UNFIT', `Redis ${name} is version ${version}; Sluice needs Redis 7.0 or Valkey 8 at least`);
  }
}
