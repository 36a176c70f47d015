/**
 * How each gate stands and stood: its state, and its last 200 changes with time, cause and reading. The change that
 * matters most is the one that Redis could not be told of, because it was away: changes wait until it is back, in
 * order. Recording never throws and never waits.
 */
import type { Clock } from '../clock.ts';
import type { Redis } from '../redis/connection.ts';
import { gateHistoryKey, gateKey } from '../redis/keys.ts';
import { type Service, within } from '../service.ts';

const HISTORY_ENTRIES = 200;
const TRY_AGAIN_MS = 1_000;

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

export interface GateRecorder extends Service {
  record(view: GateView): void;
}

export interface RecorderOptions {
  readonly group: string;
  /** Id of the bridge. */
  readonly by: string;
}

export function createGateRecorder(redis: Redis, { group, by }: RecorderOptions, clock: Clock): GateRecorder {
  const stopping = new AbortController();
  let waiting: GateView[] = [];
  let writing: Promise<void> | undefined;

  async function writeAll(): Promise<void> {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (await write(next)) waiting = waiting.filter((each) => each !== next);
      else if (stopping.signal.aborted) return;
      else await clock.sleep(TRY_AGAIN_MS, stopping.signal);
    }
  }

  async function write(view: GateView): Promise<boolean> {
    const history = gateHistoryKey(group, view.redis);
    const done = await redis
      .multi()
      .set(gateKey(group, view.redis), JSON.stringify(view))
      .lpush(history, JSON.stringify(changeOf(view, by)))
      .ltrim(history, 0, HISTORY_ENTRIES - 1)
      .exec()
      .catch(() => null);
    return done?.every(([error]) => error === null) ?? false;
  }

  return {
    async start() {},
    record(view) {
      waiting = [...waiting.slice(1 - HISTORY_ENTRIES), view];
      writing ??= writeAll().finally(() => {
        writing = undefined;
      });
    },
    async stop(deadlineMs) {
      stopping.abort();
      await within(deadlineMs, writing ?? Promise.resolve());
    },
  };
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
