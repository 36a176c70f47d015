/**
 * Who is alive: every role beats into Redis every second and when it has changed. One that was killed is silent after
 * three seconds, and forgotten after twenty. Never in the way: a Redis that is away loses heartbeats and nothing else.
 * Consumer groups do not see each other.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { beaconKey, beaconsKey } from '../redis/keys.ts';
import { type Service, within } from '../service.ts';

const BEAT_MS = 1_000;
const SILENT_MS = 3_000;
const LISTED_MS = 20_000;
/** Names of the dead are forgotten after this; until then a reader skips them. */
const FORGET_MS = 3_600_000;

export interface Beacon {
  readonly role: string;
  readonly id: string;
  /** Milliseconds since the epoch, by the clock of the role. */
  readonly startedAt: number;
  readonly beatAt: number;
  readonly detail: unknown;
}

/** As a reader found it. */
export interface HeardBeacon extends Beacon {
  /** Milliseconds since its last beat, by the clock of Redis. */
  readonly silentMs: number;
}

/** It missed several beats: dead, cut off or stuck. What it told last need not be so any more. */
export function isSilent({ silentMs }: Pick<HeardBeacon, 'silentMs'>): boolean {
  return silentMs > SILENT_MS;
}

export interface BeaconOptions {
  /** The consumer group: what belongs together. */
  readonly group: string;
  readonly role: string;
  /** Unique among all processes of the group. */
  readonly id: string;
  readonly detail: () => unknown;
}

export interface BeaconService extends Service {
  /** Beats at once. */
  changed(): void;
}

/** Beats until it is stopped, then takes its sign away. */
export function createBeacon(redis: Redis, options: BeaconOptions, clock: Clock): BeaconService {
  let isStopping = false;
  let pause = new AbortController();
  const index = beaconsKey(options.group);
  const key = beaconKey(options.group, options.id);
  const startedAt = clock.now();
  let beating: Promise<void> | undefined;

  async function beat(): Promise<void> {
    const { role, id, detail } = options;
    const now = clock.now();
    const beacon: Beacon = { role, id, startedAt, beatAt: now, detail: detail() };
    await redis
      .multi()
      .set(key, JSON.stringify(beacon), 'PX', LISTED_MS)
      .zadd(index, now, id)
      .zremrangebyscore(index, '-inf', now - FORGET_MS)
      .pexpire(index, FORGET_MS)
      .exec();
  }

  async function beatUntilStopped(): Promise<void> {
    while (!isStopping) {
      // What changes during a beat is told by the next one, at once.
      pause = new AbortController();
      await beat().catch(() => undefined);
      if (!isStopping) await clock.sleep(BEAT_MS, pause.signal);
    }
    await redis
      .multi()
      .del(key)
      .zrem(index, options.id)
      .exec()
      .catch(() => undefined);
  }

  return {
    async start() {
      beating ??= beatUntilStopped();
    },
    changed: () => pause.abort(),
    async stop(deadlineMs) {
      isStopping = true;
      pause.abort();
      await within(deadlineMs, beating ?? Promise.resolve());
    },
  };
}

/** Everybody in the group who is listed, by role and age. Rejects when Redis does not answer. */
export async function readBeacons(redis: Redis, group: string): Promise<HeardBeacon[]> {
  const ids = await redis.zrange(beaconsKey(group), '0', '-1');
  const heard = await Promise.all(ids.map((id) => hear(redis, beaconKey(group, id))));
  return heard.flat().sort((a, b) => a.role.localeCompare(b.role) || a.startedAt - b.startedAt);
}

/** Its age is what is gone of its time to live: the clocks of two machines may differ. */
async function hear(redis: Redis, key: string): Promise<HeardBeacon[]> {
  const [text, leftMs] = await Promise.all([redis.get(key), redis.pttl(key)]);
  return text === null ? [] : [{ ...(JSON.parse(text) as Beacon), silentMs: LISTED_MS - Math.max(0, leftMs) }];
}
