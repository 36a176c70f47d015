/**
 * How many letters there are, told from the marks among them and from the places that transactions take. Exact for the
 * newest records; what lies further back counts as letters that wait. Asked again, it reads only topics that have grown.
 */
import type { Bounds } from '../consumer.ts';
import { isMark } from './marks.ts';
import { type LetterSource, readOn, States } from './survey.ts';

const WINDOW = 5_000;

export interface LetterCount {
  /** Nobody has dealt with them. */
  readonly waiting: number;
  /** Offsets that no letter has. */
  readonly others: number;
}

/** `key`: topic/partition. */
export type LetterCounter = (key: string, bounds: Bounds) => Promise<LetterCount>;

export function createLetterCounter(source: LetterSource): LetterCounter {
  const known = new Map<string, Bounds & { readonly count: LetterCount }>();
  return async (key, { low, high }) => {
    const last = known.get(key);
    if (last?.low === low && last.high === high) return last.count;
    const count = await countIn(source, key, low, high);
    known.set(key, { low, high, count });
    return count;
  };
}

async function countIn(source: LetterSource, key: string, low: number, high: number): Promise<LetterCount> {
  const slash = key.lastIndexOf('/');
  const of = { topic: key.slice(0, slash), partition: Number(key.slice(slash + 1)) };
  const from = Math.max(low, high - WINDOW);
  if (from >= high) return { waiting: 0, others: 0 };
  const states = new States();
  const letters: number[] = [];
  for await (const records of readOn(source, of, from)) {
    for (const record of records) {
      if (isMark(record)) states.learn(record);
      else if (record.offset < high) letters.push(record.offset);
    }
  }
  const waiting = letters.filter((offset) => states.of(offset) === 'waiting').length;
  return { waiting: waiting + (from - low), others: high - from - letters.length };
}
