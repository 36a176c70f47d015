/**
 * Stage 4, the gate, as a pure function from readings to open or closed, with hysteresis.
 * `closeAt` leaves Redis the room that workers need to fetch, retry and finish.
 */
import { SluiceError } from '../errors.ts';
import type { GateConfig } from '../redis/config.ts';

/** The configured thresholds in the units of the readings. */
export interface Thresholds {
  readonly closeAtBytes: number;
  readonly openAtBytes: number;
  readonly closeAtDepth: number;
  readonly openAtDepth: number;
}

export interface Reading {
  readonly usedBytes: number;
  /** Bytes of batches on their way. */
  readonly inFlightBytes: number;
  /** Waiting jobs of the longest queue; 0 when nobody asked. */
  readonly depth: number;
}

export type Cause = 'memory' | 'depth' | 'redis-away' | 'redis-refuses' | 'room';

export interface GateState {
  readonly isOpen: boolean;
  readonly cause: Cause;
}

/** The next state. Closed stays closed until every reading is below its lower threshold. */
export function decide(state: GateState, reading: Reading, limits: Thresholds): GateState {
  const used = reading.usedBytes + reading.inFlightBytes;
  if (used >= (state.isOpen ? limits.closeAtBytes : limits.openAtBytes)) return closed(state, 'memory');
  if (reading.depth >= (state.isOpen ? limits.closeAtDepth : limits.openAtDepth + 1)) return closed(state, 'depth');
  return state.isOpen ? state : { isOpen: true, cause: 'room' };
}

/** Closed for `cause`; the same object when it was already. */
export function closed(state: GateState, cause: Cause): GateState {
  return !state.isOpen && state.cause === cause ? state : { isOpen: false, cause };
}

/** More than this of maxmemory must stay below `closeAt`: workers write to finish. */
const MOST_OF_MAXMEMORY = 0.95;
/** An empty Redis takes one or two megabytes, a large batch as much. */
const LEAST_BYTES = 8 * 1_048_576;

/**
 * Thresholds in bytes. `maxBytes` is Redis's maxmemory; where it has none, percents are of the machine's memory.
 * Throws CONFIG when the gate could not work with them.
 */
export function thresholds(name: string, gate: GateConfig, maxBytes: number, systemBytes: number): Thresholds {
  const whole = maxBytes > 0 ? maxBytes : systemBytes;
  const closeAtBytes = toBytes(gate.closeAt, whole);
  const openAtBytes = toBytes(gate.openAt, whole);
  const path = `redis.${name}.gate`;
  if (openAtBytes >= closeAtBytes) {
    throw new SluiceError(
      'CONFIG',
      `${path}: openAt (${openAtBytes} bytes) must be below closeAt (${closeAtBytes} bytes)`,
    );
  }
  if (maxBytes > 0 && closeAtBytes > maxBytes * MOST_OF_MAXMEMORY) {
    throw new SluiceError(
      'CONFIG',
      `${path}.closeAt: ${closeAtBytes} bytes leave workers no room below maxmemory (${maxBytes} bytes); at most 95% of it`,
    );
  }
  if (closeAtBytes < LEAST_BYTES) {
    throw new SluiceError(
      'CONFIG',
      `${path}.closeAt: ${closeAtBytes} bytes do not hold the batches on their way; at least ${LEAST_BYTES}`,
    );
  }
  const closeAtDepth = gate.closeAtDepth ?? Number.POSITIVE_INFINITY;
  const openAtDepth = gate.openAtDepth ?? closeAtDepth * 0.8;
  if (openAtDepth >= closeAtDepth && Number.isFinite(closeAtDepth)) {
    throw new SluiceError(
      'CONFIG',
      `${path}: openAtDepth (${openAtDepth}) must be below closeAtDepth (${closeAtDepth})`,
    );
  }
  return { closeAtBytes, openAtBytes, closeAtDepth, openAtDepth };
}

const UNITS: Readonly<Record<string, number>> = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

function toBytes(threshold: number | string, whole: number): number {
  if (typeof threshold === 'number') return threshold;
  if (threshold.endsWith('%')) return Math.floor((Number.parseFloat(threshold) / 100) * whole);
  return Math.floor(Number.parseFloat(threshold) * (UNITS[threshold.slice(-2).toLowerCase()] ?? 1));
}
