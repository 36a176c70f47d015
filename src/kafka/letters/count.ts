/**
 * How many letters there are, told from the marks among them and from the places that transactions take. Exact for the
 * newest records; what lies further back counts as letters that wait. Asked again, it reads only topics that have grown.
 */
import { LETTER } from '../../job/letter.ts';
import type { Bounds } from '../consumer.ts';
import { isMark } from './marks.ts';
import { type LetterSource, readOn, States } from './survey.ts';

const WINDOW = 5_000;

export interface LetterCount {
  /** Nobody has dealt with them. */
  readonly waiting: number;
  /** Of those that wait and were read: jobs that died, and records that could not become a job. */
  readonly dead: number;
  readonly rejected: number;
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
  if (from >= high) return { waiting: 0, dead: 0, rejected: 0, others: 0 };
  const states = new States();
  const letters: { offset: number; isDead: boolean }[] = [];
  for await (const records of readOn(source, of, from)) {
    for (const record of records) {
      if (isMark(record)) states.learn(record);
      else if (record.offset < high && record.headers[LETTER.reason] !== undefined)
        letters.push({ offset: record.offset, isDead: record.headers[LETTER.reason] === 'dead' });
    }
  }
  const waiting = letters.filter(({ offset }) => states.of(offset) === 'waiting');
  const dead = waiting.filter(({ isDead }) => isDead).length;
  const others = high - from - letters.length;
  return { waiting: waiting.length + (from - low), dead, rejected: waiting.length - dead, others };
}
