/** Lets something be told once in a while, by key, and counts what was passed over in between. */
import type { Clock } from './clock.ts';

const TELL_AGAIN_MS = 5_000;
/** Keys may come from whoever writes to a queue or topic. */
const MOST_KEYS = 1_000;

interface Told {
  until: number;
  passedOver: number;
}

/** Answers how many were passed over since the last one that was told; undefined: this one is passed over too. */
export type Seldom = (key: string) => number | undefined;

export function createSeldom(clock: Clock, tellAgainMs = TELL_AGAIN_MS): Seldom {
  const keys = new Map<string, Told>();

  function told(key: string): Told {
    const known = keys.get(key);
    if (known !== undefined) return known;
    if (keys.size >= MOST_KEYS) keys.clear();
    const fresh = { until: 0, passedOver: 0 };
    keys.set(key, fresh);
    return fresh;
  }

  return (key) => {
    const last = told(key);
    if (clock.now() < last.until) {
      last.passedOver += 1;
      return undefined;
    }
    const { passedOver } = last;
    last.until = clock.now() + tellAgainMs;
    last.passedOver = 0;
    return passedOver;
  };
}
