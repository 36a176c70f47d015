/**
 * What goes wrong in a world, and how often. Each world has its own selection: where everything fails all the time, little
 * gets far enough to go wrong in an interesting way. Once the faults are over, none strikes any more.
 */
import type { Chance } from './chance.ts';

/** Shares of the occasions: of the calls, commits, heartbeats, or of the looks that the mishaps have. */
const RATES = {
  // Calls to Redis.
  lostRequest: 0.06,
  lostReply: 0.03,
  /** The caller gives up, and the script runs afterwards. */
  lateScript: 0.03,
  slowScript: 0.06,
  refusedQueue: 0.01,
  fullRedis: 0.01,
  // A Redis, at a look.
  flush: 0.03,
  restart: 0.02,
  stolenClaim: 0.15,
  away: 0.15,
  // Kafka.
  rebalance: 0.03,
  smallAssignment: 0.3,
  lostHeartbeat: 0.15,
  lostFetch: 0.02,
  slowAnswer: 0.15,
  refusedCommit: 0.3,
  lostCommitReply: 0.04,
  slowLetter: 0.4,
  lostLetter: 0.01,
} as const;

export type Fault = keyof typeof RATES;

const SHARE_LEFT_OUT = 0.25;
const TIMES = [0.5, 1, 3];
const MOST = 0.5;

export class Faults {
  readonly #chance: Chance;
  readonly #rates: ReadonlyMap<Fault, number>;
  #areOver = false;

  constructor(chance: Chance) {
    this.#chance = chance;
    const rateOf = (usual: number) =>
      chance.happens(SHARE_LEFT_OUT) ? 0 : Math.min(MOST, usual * chance.oneOf(TIMES));
    const rates = Object.entries(RATES).map(([fault, usual]): [Fault, number] => [fault as Fault, rateOf(usual)]);
    this.#rates = new Map(rates);
  }

  get areOver(): boolean {
    return this.#areOver;
  }

  strikes(fault: Fault): boolean {
    return !this.#areOver && this.#chance.happens(this.#rates.get(fault) ?? 0);
  }

  end(): void {
    this.#areOver = true;
  }
}
