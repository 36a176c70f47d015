/**
 * What Kafka has recorded as finished, and when: everything below a committed offset, and the ranges that its metadata
 * lists above it. Two ways to be wrong: it says so of a record that is not finished (committed too far), and a
 * record that it spoke of for longer than a commit's interval is run again (rerun after finished).
 */
import { type Line, type Place, placeKey, type RunLine } from '../history.ts';
import type { Finding } from './findings.ts';
import { isFinish } from './lost.ts';

type Committed = Line & { is: 'committed' };

export interface Recorded {
  readonly committedTooFar: readonly Finding[];
  readonly rerunAfterFinished: readonly Finding[];
  /** The same by stock workers, which cannot know: no violation. */
  readonly stockRerunAfterFinished: readonly Finding[];
}

/** `rangesOf` reads the finished ranges [start, end) out of a commit's metadata. */
export function checkRecorded(
  history: readonly Line[],
  commitEveryMs: number,
  rangesOf: (metadata: string) => readonly (readonly [number, number])[],
): Recorded {
  const acked = ackedByPartition(history);
  const letters = new Map(
    history.flatMap((line) => (line.is === 'letter' ? [[placeKey(line), line.letter] as const] : [])),
  );
  const ends = new Set<string>();
  const recorded = new Map<string, Committed>();
  const committedTooFar: Finding[] = [];
  const reruns: Finding[] = [];

  /** Which of the acked records that this commit is the first to speak of are not finished. */
  function take(commit: Committed): void {
    const offsets = acked.get(partitionOf(commit)) ?? [];
    const ranges = [[0, commit.offset] as const, ...rangesOf(commit.metadata)];
    for (const line of offsets) {
      const key = placeKey(line);
      if (recorded.has(key) || !ranges.some(([start, end]) => line.offset >= start && line.offset < end)) continue;
      recorded.set(key, commit);
      const hasLetter = (letters.get(key) ?? Number.POSITIVE_INFINITY) < commit.letters;
      if (ends.has(key) || hasLetter) continue;
      committedTooFar.push({ what: `${key} is recorded as finished, and is not`, lines: [line, commit] });
    }
    acked.set(
      partitionOf(commit),
      offsets.filter((line) => !recorded.has(placeKey(line))),
    );
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

function ackedByPartition(history: readonly Line[]): Map<string, (Line & Place)[]> {
  const lines = history.filter((line) => line.is === 'acked');
  return Map.groupBy(lines, partitionOf);
}

function partitionOf({ topic, partition }: Place): string {
  return `${topic}/${partition}`;
}
