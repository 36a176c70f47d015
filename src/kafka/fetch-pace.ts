/**
 * How soon Kafka is asked again at the log's end. It answers as soon as there is anything, and each answer has its price, for the
 * broker, for us and for whoever takes what is made of it, however few records it holds. So while many come, they are let gather:
 * for a millisecond for each thousand a second, and not for long. A moment after there were many, few are not waited for. While
 * there is a backlog nothing has to gather, and the next answer may be here already (fetch-ahead.ts).
 */
import { type Fetch, type FetchAnswer, hasBacklog } from './fetch-ahead.ts';

const LONGEST_GAP_MS = 20;
/** What came so long ago counts for a third of what comes now. */
const MEMORY_MS = 200;
/** Timers know no shorter waits. */
const LEAST_WAIT_MS = 1;

/** For one broker, asked by one caller: a call begins when the one before it is over. */
export function pacing(fetch: Fetch): Fetch {
  let askedAt = performance.now();
  /** Records a millisecond; as many milliseconds lie between two requests. */
  let rate = 0;
  let isBehind = false;

  return async (request) => {
    const gapMs = isBehind ? 0 : Math.min(LONGEST_GAP_MS, rate);
    const waitMs = askedAt + gapMs - performance.now();
    if (waitMs >= LEAST_WAIT_MS) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const sinceMs = Math.max(LEAST_WAIT_MS, performance.now() - askedAt);
    askedAt = performance.now();
    const answer = await fetch(request);
    isBehind = hasBacklog(answer);
    rate += (recordsIn(answer) / sinceMs - rate) * (1 - Math.exp(-sinceMs / MEMORY_MS));
    return answer;
  };
}

function recordsIn({ responses }: FetchAnswer): number {
  let records = 0;
  for (const { partitions } of responses) for (const { messages } of partitions) records += messages.length;
  return records;
}
