/**
 * What Kafka has recorded as finished, and when: everything below a committed offset, and the ranges that its metadata
 * lists above it. Two ways to be wrong: it says so of a record that is not finished (committed too far), and a
 * record that it spoke of for longer than a commit's interval is run again (rerun after finished).
 */
import { type Line, type Place, placeKey, type RunLine } from '../history.ts';
import type { Finding } from './findings.ts';
import { isFinish } from './lost.ts';
import { finishedAbove, type Span } from './metadata.ts';

type Acked = Line & { is: 'acked' };
type Committed = Line & { is: 'committed' };

export interface Recorded {
  readonly committedTooFar: readonly Finding[];
  readonly rerunAfterFinished: readonly Finding[];
  /** The same by stock workers, which cannot know: no violation. */
  readonly stockRerunAfterFinished: readonly Finding[];
}

export function checkRecorded(history: readonly Line[], commitEveryMs: number): Recorded {
  const acked = ackedByPartition(history);
  const letters = firstLetters(history);
  const ends = new Set<string>();
  const recorded = new Map<string, Committed>();
  const committedUpTo = new Map<string, number>();
  const committedTooFar: Finding[] = [];
  const reruns: Finding[] = [];

  /** The records that this commit speaks of, and the last one below it did not. */
  function* newIn(commit: Committed): Generator<Acked> {
    const partition = partitionOf(commit);
    const below: Span = [committedUpTo.get(partition) ?? 0, commit.offset];
    committedUpTo.set(partition, Math.max(...below));
    for (const [start, end] of [below, ...finishedAbove(commit.offset, commit.metadata)]) {
      for (let offset = start; offset < end; offset++) {
        const line = acked.get(partition)?.get(offset);
        if (line !== undefined && !recorded.has(placeKey(line))) yield line;
      }
    }
  }

  function take(commit: Committed): void {
    for (const line of newIn(commit)) {
      const key = placeKey(line);
      recorded.set(key, commit);
      const hasLetter = (letters.get(key) ?? Number.POSITIVE_INFINITY) < commit.letters;
      if (ends.has(key) || hasLetter) continue;
      committedTooFar.push({ what: `${key} is recorded as finished, and is not`, lines: [line, commit] });
    }
  }

  function rerun(run: Line & RunLine): void {
    const commit = recorded.get(placeKey(run));
    if (commit === undefined || run.at - commit.at <= commitEveryMs) return;
    const what = `${placeKey(run)} ran again ${run.at - commit.at} ms after Kafka had recorded it as finished`;
    reruns.push({ what, lines: [commit, run] });
  }

  for (const line of history) {
    if (isFinish(line) && line.is === 'end') ends.add(placeKey(line));
    if (line.is === 'committed') take(line);
    if (line.is === 'start') rerun(line);
  }
  const [rerunAfterFinished, stockRerunAfterFinished] = [ofHost(reruns, 'sluice'), ofHost(reruns, 'stock')];
  return { committedTooFar, rerunAfterFinished, stockRerunAfterFinished };
}

function ofHost(reruns: readonly Finding[], host: RunLine['host']): Finding[] {
  return reruns.filter(({ lines }) => lines.some((line) => line.is === 'start' && line.host === host));
}

/** Letters may repeat after a loss of Redis; the first is what counts. */
function firstLetters(history: readonly Line[]): Map<string, number> {
  const letters = new Map<string, number>();
  for (const line of history)
    if (line.is === 'letter') letters.set(placeKey(line), letters.get(placeKey(line)) ?? line.letter);
  return letters;
}

/** By partition, then by offset. */
function ackedByPartition(history: readonly Line[]): Map<string, Map<number, Acked>> {
  const byPartition = new Map<string, Map<number, Acked>>();
  for (const line of history) {
    if (line.is !== 'acked') continue;
    const partition = partitionOf(line);
    const byOffset = byPartition.get(partition) ?? new Map<number, Acked>();
    byPartition.set(partition, byOffset.set(line.offset, line));
  }
  return byPartition;
}

function partitionOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
