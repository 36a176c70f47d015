/**
 * Who is alive: every role beats into Redis every five seconds, and is gone twenty seconds after its last beat.
 * Never in the way: a Redis that is away loses heartbeats and nothing else. Consumer groups do not see each other.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { beaconKey, beaconsKey } from '../redis/keys.ts';
import { type Service, within } from '../service.ts';

const BEAT_MS = 5_000;
const ALIVE_MS = 20_000;
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

export interface BeaconOptions {
  /** The consumer group: what belongs together. */
  readonly group: string;
  readonly role: string;
  /** Unique among all processes of the group. */
  readonly id: string;
  readonly detail: () => unknown;
}

/** Beats until it is stopped, then takes its sign away. */
export function createBeacon(redis: Redis, options: BeaconOptions, clock: Clock): Service {
  const stopping = new AbortController();
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
      .set(key, JSON.stringify(beacon), 'PX', ALIVE_MS)
      .zadd(index, now, id)
      .zremrangebyscore(index, '-inf', now - FORGET_MS)
      .pexpire(index, FORGET_MS)
      .exec();
  }

  async function beatUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      await beat().catch(() => undefined);
      await clock.sleep(BEAT_MS, stopping.signal);
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
    async stop(deadlineMs) {
      stopping.abort();
      await within(deadlineMs, beating ?? Promise.resolve());
    },
  };
}

/** Everybody alive in the group, by role and age. Rejects when Redis does not answer. */
export async function readBeacons(redis: Redis, group: string): Promise<Beacon[]> {
  const ids = await redis.zrange(beaconsKey(group), '0', '-1');
  if (ids.length === 0) return [];
  const texts = await redis.mget(...ids.map((id) => beaconKey(group, id)));
  const alive = texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Beacon]));
  return alive.sort((a, b) => a.role.localeCompare(b.role) || a.startedAt - b.startedAt);
}
