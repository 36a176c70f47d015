/**
 * What status and dashboard read: who is alive, and how each gate stands and stood. Written to Redis under `sluice:`,
 * and never in the way: a Redis that is away loses a heartbeat and nothing else.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { beaconKey, beaconPattern, gateHistoryKey, gateKey } from '../redis/keys.ts';
import type { Service } from '../service.ts';

const BEAT_MS = 5_000;
const ALIVE_SECONDS = 20;
const HISTORY_ENTRIES = 200;
const SCAN_COUNT = 500;

export interface Beacon {
  readonly role: string;
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly beatAt: number;
  readonly detail: unknown;
}

export interface GateView {
  readonly redis: string;
  readonly isOpen: boolean;
  readonly cause: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly usedBytes: number;
  readonly closeAtBytes: number;
  readonly openAtBytes: number;
}

export interface BeaconOptions {
  readonly role: string;
  /** Unique among all processes. */
  readonly id: string;
  readonly detail: () => unknown;
}

/** Beats until it is stopped, then takes its sign away. */
export function createBeacon(redis: Redis, { role, id, detail }: BeaconOptions, clock: Clock): Service {
  const stopping = new AbortController();
  const key = beaconKey(role, id);
  const startedAt = clock.now();
  let beating: Promise<void> | undefined;

  async function beat(): Promise<void> {
    while (!stopping.signal.aborted) {
      const beacon: Beacon = { role, id, startedAt, beatAt: clock.now(), detail: detail() };
      await redis.set(key, JSON.stringify(beacon), 'EX', ALIVE_SECONDS).catch(() => undefined);
      await clock.sleep(BEAT_MS, stopping.signal);
    }
    await redis.del(key).catch(() => undefined);
  }

  return {
    async start() {
      beating ??= beat();
    },
    async stop() {
      stopping.abort();
      await beating;
    },
  };
}

/** Everybody alive. Rejects when Redis does not answer. */
export async function readBeacons(redis: Redis): Promise<Beacon[]> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', beaconPattern, 'COUNT', SCAN_COUNT);
    keys.push(...found);
    cursor = next;
  } while (cursor !== '0');
  if (keys.length === 0) return [];
  const texts = await redis.mget(...keys);
  return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as Beacon]));
}

/** Keeps the gate's state and adds the change to its history. Never rejects. */
export async function recordGate(redis: Redis, view: GateView, now: number): Promise<void> {
  const change = { at: now, to: view.isOpen ? 'open' : 'closed', cause: view.cause, usedBytes: view.usedBytes };
  await redis
    .multi()
    .set(gateKey(view.redis), JSON.stringify(view))
    .lpush(gateHistoryKey(view.redis), JSON.stringify(change))
    .ltrim(gateHistoryKey(view.redis), 0, HISTORY_ENTRIES - 1)
    .exec()
    .catch(() => undefined);
}

export interface GateChange {
  readonly at: number;
  readonly to: 'open' | 'closed';
  readonly cause: string;
  readonly usedBytes: number;
}

/** The newest first. */
export async function gateHistory(redis: Redis, name: string): Promise<GateChange[]> {
  return (await redis.lrange(gateHistoryKey(name), 0, -1)).map((text) => JSON.parse(text) as GateChange);
}
