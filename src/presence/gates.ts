/**
 * How each gate stands and stood: its state, and its last 200 changes with time, cause and reading. The change that
 * matters most is the one that Redis could not be told of, because it was away: changes wait until it is back.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { gateHistoryKey, gateKey } from '../redis/keys.ts';
import { createJournal, type Journal } from './journal.ts';

const HISTORY_ENTRIES = 200;

export interface GateView {
  /** The configured name. */
  readonly redis: string;
  readonly isOpen: boolean;
  readonly cause: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly usedBytes: number;
  readonly closeAtBytes: number;
  readonly openAtBytes: number;
}

export interface GateChange {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly to: 'open' | 'closed';
  readonly cause: string;
  readonly usedBytes: number;
  readonly closeAtBytes: number;
  readonly openAtBytes: number;
  /** Id of the bridge whose gate it is. */
  readonly by: string;
}

export interface RecorderOptions {
  readonly group: string;
  /** Id of the bridge. */
  readonly by: string;
}

export function createGateRecorder(redis: Redis, { group, by }: RecorderOptions, clock: Clock): Journal<GateView> {
  return createJournal(async (view) => {
    const history = gateHistoryKey(group, view.redis);
    const done = await redis
      .multi()
      .set(gateKey(group, view.redis), JSON.stringify(view))
      .lpush(history, JSON.stringify(changeOf(view, by)))
      .ltrim(history, 0, HISTORY_ENTRIES - 1)
      .exec();
    return done?.every(([error]) => error === null) ?? false;
  }, clock);
}

function changeOf({ isOpen, cause, since, usedBytes, closeAtBytes, openAtBytes }: GateView, by: string): GateChange {
  return { at: since, to: isOpen ? 'open' : 'closed', cause, usedBytes, closeAtBytes, openAtBytes, by };
}

/** The last state that a bridge of the group told. Rejects when Redis does not answer. */
export async function gateState(redis: Redis, group: string, name: string): Promise<GateView | undefined> {
  const text = await redis.get(gateKey(group, name));
  return text === null ? undefined : (JSON.parse(text) as GateView);
}

/** The newest first. Rejects when Redis does not answer. */
export async function gateHistory(redis: Redis, group: string, name: string): Promise<GateChange[]> {
  return (await redis.lrange(gateHistoryKey(group, name), 0, -1)).map((text) => JSON.parse(text) as GateChange);
}
