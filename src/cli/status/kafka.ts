/**
 * Lag, finished and late records, and dead letters of topics. Reads offsets, which outlive Redis, and letters: it joins no group
 * and makes no topic.
 */
import { decodeMetadata } from '../../bridge/metadata.ts';
import { delayStateTopic } from '../../job/late.ts';
import { letterTopic } from '../../job/letter.ts';
import type { Bounds, Committed, KafkaAdmin, RecordReader } from '../../kafka/consumer.ts';
import type { LetterCounter } from '../../kafka/letters/count.ts';
import { type LateStatus, lateStatus, NONE_LATE } from './late.ts';
import type { TopicStatus } from './shape.ts';

export async function topicStatus(
  { admin, reader }: { readonly admin: KafkaAdmin; readonly reader: RecordReader },
  group: string,
  topics: readonly string[],
  countLetters: LetterCounter,
  now: number,
): Promise<TopicStatus[]> {
  const existing = new Set(await admin.topics());
  const consumed = topics.filter((topic) => existing.has(topic));
  const letters = topics.map(letterTopic).filter((topic) => existing.has(topic));
  const states = consumed.map((topic) => delayStateTopic(topic, group)).filter((topic) => existing.has(topic));
  const [bounds, committed] = await Promise.all([
    admin.bounds([...consumed, ...letters, ...states]),
    consumed.length === 0 ? new Map<string, Committed>() : admin.committed(group, consumed),
  ]);
  const late = (topic: string) => {
    const ofState = partitionsOf(bounds, delayStateTopic(topic, group));
    return ofState.length === 0 ? NONE_LATE : lateStatus(reader, group, topic, ofState);
  };
  return Promise.all(
    topics.map(async (topic) =>
      oneTopic(admin, { topic, late: await late(topic) }, bounds, committed, countLetters, now),
    ),
  );
}

/** What a commit tells of: everything below its offset, and what its metadata lists above. */
function finishedOf(committed: Committed | undefined): number {
  if (committed === undefined) return 0;
  const known = decodeMetadata(committed.offset, committed.metadata);
  const above = typeof known === 'object' ? known.finished : [];
  return above.reduce((sum, { start, end }) => sum + end - start, committed.offset);
}

async function oneTopic(
  admin: KafkaAdmin,
  { topic, late }: { readonly topic: string; readonly late: LateStatus },
  bounds: ReadonlyMap<string, Bounds>,
  committed: ReadonlyMap<string, Committed>,
  countLetters: LetterCounter,
  now: number,
): Promise<TopicStatus> {
  const partitions = partitionsOf(bounds, topic);
  const letters = partitionsOf(bounds, letterTopic(topic));
  const finished = partitions.reduce((sum, [key]) => sum + finishedOf(committed.get(key)), 0);
  const counts = await Promise.all(letters.map(([key, ends]) => countLetters(key, ends)));
  const lettersEver =
    letters.reduce((sum, [, { high }]) => sum + high, 0) - counts.reduce((sum, { others }) => sum + others, 0);
  const behind = new Map<string, number>();
  let lagRecords = 0;
  for (const [key, { low, high }] of partitions) {
    const next = Math.max(low, committed.get(key)?.offset ?? low);
    if (next >= high) continue;
    lagRecords += high - next - Math.max(0, finishedOf(committed.get(key)) - next);
    behind.set(key, next);
  }
  return {
    topic,
    exists: partitions.length > 0,
    partitions: partitions.length,
    lagRecords,
    lagSeconds: behind.size === 0 ? 0 : await ageOf(behind, (time) => admin.offsetsAt(topic, time), now),
    finishedRecords: finished,
    completedRecords: Math.max(0, finished - lettersEver - late.extraOffsets),
    lateRecords: late.waiting,
    nextDueAt: late.nextDueAt === undefined ? null : new Date(late.nextDueAt).toISOString(),
    deadLetters: counts.reduce((sum, { waiting }) => sum + waiting, 0),
    deadJobs: counts.reduce((sum, { dead }) => sum + dead, 0),
    rejectedRecords: counts.reduce((sum, { rejected }) => sum + rejected, 0),
  };
}

function partitionsOf(bounds: ReadonlyMap<string, Bounds>, topic: string): [string, Bounds][] {
  return [...bounds].filter(([key]) => key.slice(0, key.lastIndexOf('/')) === topic);
}

const OLDEST_SECONDS = 60 * 86_400;
const REFINEMENTS = 3;

/**
 * Seconds since the oldest of these records was written, found by asking for offsets by time: first by doubling the
 * age, then by halving the interval. `next`: the first unfinished offset of each partition.
 */
export async function ageOf(
  next: ReadonlyMap<string, number>,
  offsetsAt: (time: number) => Promise<ReadonlyMap<string, number>>,
  now: number,
): Promise<number> {
  /** Whether every unfinished record is younger than this. */
  const isOlder = async (seconds: number) => {
    const offsets = await offsetsAt(now - seconds * 1_000);
    return [...next].every(([key, offset]) => (offsets.get(key) ?? 0) <= offset);
  };
  let [younger, older] = [0, 1];
  while (older < OLDEST_SECONDS && !(await isOlder(older))) [younger, older] = [older, older * 2];
  for (let i = 0; i < REFINEMENTS && older - younger > 1; i++) {
    const middle = (younger + older) / 2;
    if (await isOlder(middle)) older = middle;
    else younger = middle;
  }
  return Math.round(older);
}
