/** What is known of letters that are named and do not wait: the name may be wrong, or the letter is dealt with. */
import type { Place } from '../../job/letter.ts';
import { partitionKey } from '../consumer.ts';
import { type LetterState, letterId } from './letter.ts';
import { isMark } from './marks.ts';
import { type LetterPartition, type LetterSource, partitionsOf, readOn, States } from './survey.ts';

const WORDS: Readonly<Record<LetterState, string>> = {
  waiting: 'it waits, and the filters leave it out',
  replayed: 'it was replayed already',
  purged: 'it was purged',
};

/** For each place, in order, its id and what is known, for a person. */
export async function fatesOf(source: LetterSource, places: readonly Place[]): Promise<Map<string, string>> {
  const present = await partitionsOf(source, [...new Set(places.map(({ topic }) => topic))]);
  const fates = new Map<string, string>(places.map((place) => [letterId(place), '']));
  for (const [key, named] of Map.groupBy(places, partitionKey)) {
    const partition = present.find((each) => partitionKey(each) === key);
    const fateOf =
      partition === undefined ? () => notThere(named, present) : await fatesIn(source, partition, offsetsOf(named));
    for (const place of named) fates.set(letterId(place), fateOf(place.offset));
  }
  return fates;
}

function notThere([place]: readonly Place[], present: readonly LetterPartition[]): string {
  const { topic = '', partition = 0 } = place ?? {};
  return present.some((each) => each.topic === topic)
    ? `${topic} has no partition ${partition}`
    : `there is no topic ${topic}`;
}

function offsetsOf(places: readonly Place[]): ReadonlySet<number> {
  return new Set(places.map(({ offset }) => offset));
}

async function fatesIn(
  source: LetterSource,
  { low, high, ...of }: LetterPartition,
  named: ReadonlySet<number>,
): Promise<(offset: number) => string> {
  const states = new States();
  const found = new Set<number>();
  const inLog = [...named].filter((offset) => offset >= low && offset < high);
  if (inLog.length > 0) {
    for await (const records of readOn(source, of, Math.min(...inLog))) {
      for (const record of records) {
        if (isMark(record)) states.learn(record);
        else if (named.has(record.offset)) found.add(record.offset);
      }
    }
  }
  return (offset) => {
    if (offset >= high) return `it was never there: ${partitionKey(of)} ends at offset ${high}`;
    if (offset < low) return "Kafka has deleted it: it was purged or replayed, or its topic's retention is over";
    return found.has(offset) ? WORDS[states.of(offset)] : 'no letter stands there';
  };
}
