/**
 * How soon Kafka is asked again. It answers as soon as there is anything, and each answer has its price, for the broker, for us and
 * for whoever takes what is made of it, however few records it holds. So while many come, they are let gather: for a millisecond
 * for each thousand a second, and not for long. Few are not waited for, and behind an answer that is large nothing is.
 */
import type { Fetch, FetchAnswer } from './fetch-ahead.ts';

/** Between two requests, by the records of a millisecond. */
const GAP_MS = 1;
const LONGEST_GAP_MS = 20;
/** Records of an answer. */
const LARGE = 1_000;
/** What came so long ago counts for a third of what comes now. */
const MEMORY_MS = 200;
/** Timers know no shorter waits. */
const LEAST_WAIT_MS = 1;

/** For one broker, asked by one caller: a call begins when the one before it is over. */
export function pacing(fetch: Fetch): Fetch {
  let askedAt = performance.now();
  /** Records a millisecond. */
  let rate = 0;
  let isLarge = false;

  return async (request) => {
    const gapMs = isLarge ? 0 : Math.min(LONGEST_GAP_MS, rate * GAP_MS);
    const waitMs = askedAt + gapMs - performance.now();
    if (waitMs >= LEAST_WAIT_MS) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const sinceMs = Math.max(LEAST_WAIT_MS, performance.now() - askedAt);
    askedAt += sinceMs;
    const answer = await fetch(request);
    const records = recordsIn(answer);
    isLarge = records >= LARGE;
    rate += (records / sinceMs - rate) * (1 - Math.exp(-sinceMs / MEMORY_MS));
    return answer;
  };
}

function recordsIn({ responses }: FetchAnswer): number {
  let records = 0;
  for (const { partitions } of responses) for (const { messages } of partitions) records += messages.length;
  return records;
}
