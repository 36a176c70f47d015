/** The records of the kit's load: what each asks its worker to do, drawn from the seed. */
import { uuidOf } from './uuid.ts';

export const PROBE = 'sluice.faults.v1.Probe';

export type Course = 'done' | 'retry' | 'dead' | 'kill' | 'long' | 'block';

/** proto3 JSON of probe.proto. */
export interface Probe {
  readonly id: string;
  readonly workMs?: number;
  readonly course?: Course;
  readonly track?: boolean;
}

export interface DrawnProbe {
  readonly probe: Probe;
  readonly key: string;
  /** Which workers run it. */
  readonly isStock: boolean;
  /** To be run so much later. */
  readonly delayMs: number;
}

const KEYS = 200;
const STOCK_SHARE = 0.2;
const TRACK_SHARE = 0.3;
const DELAYED_SHARE = 0.02;
const SLOW_SHARE = 0.02;
const RETRY_SHARE = 0.02;
const DEAD_SHARE = 0.003;

export function drawProbe(seed: number, count: number, random: () => number): DrawnProbe {
  const [isStock, isTracked, isDelayed, isSlow] = [STOCK_SHARE, TRACK_SHARE, DELAYED_SHARE, SLOW_SHARE].map(
    (share) => random() < share,
  ) as [boolean, boolean, boolean, boolean];
  const course = courseOf(random());
  return {
    key: `key-${Math.floor(random() * KEYS)}`,
    isStock,
    delayMs: isDelayed ? 300 + Math.floor(random() * 500) : 0,
    probe: {
      id: uuidOf(`${seed}/${count}`),
      workMs: isSlow ? 200 + Math.floor(random() * 300) : Math.floor(random() * 10),
      course: isStock ? 'done' : course,
      track: isTracked && !isStock,
    },
  };
}

function courseOf(drawn: number): Course {
  if (drawn < DEAD_SHARE) return 'dead';
  return drawn < DEAD_SHARE + RETRY_SHARE ? 'retry' : 'done';
}
