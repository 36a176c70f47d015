/**
 * BullMQ prints what it thinks of a Redis by console.warn, for each connection. Its texts go to the log instead, each
 * once; what anybody else prints stays as it is.
 */
import type { Log } from '../../log.ts';

const OPINION = /^(IMPORTANT! Eviction policy is |It is highly recommended to use a minimum Redis version)/;

export function hearBullWarnings(log: Log): void {
  const print = console.warn;
  const heard = new Set<string>();
  console.warn = (...words: unknown[]) => {
    const [text] = words;
    if (typeof text !== 'string' || !OPINION.test(text)) return print.apply(console, words);
    if (!heard.has(text)) log.warn({ reason: text }, 'bullmq warns of a redis');
    heard.add(text);
  };
}
