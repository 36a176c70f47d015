/**
 * Created twice: a job that was created again in the same history of Redis. A wipe begins a new history; one that is
 * restored goes on from the snapshot: what was created before it counts, what was created behind it does not.
 */
import type { Line } from '../history.ts';
import type { Finding } from './findings.ts';

type Added = Line & { is: 'added' };

export function findCreatedTwice(history: readonly Line[]): Finding[] {
  const branches = new Map<number, Map<string, Added>>();
  const found: Finding[] = [];
  for (const line of history) {
    if (line.is === 'branch') branches.set(line.branch, createdBefore(line, branches));
    if (line.is !== 'added') continue;
    const created = branches.get(line.branch) ?? new Map<string, Added>();
    branches.set(line.branch, created);
    const first = created.get(line.job);
    if (first !== undefined) {
      found.push({ what: `${line.job} was created twice in one history of Redis`, lines: [first, line] });
    }
    created.set(line.job, line);
  }
  return found;
}

/** What the branch begins with: its parent's jobs up to the point where it was forked off. */
function createdBefore(
  { parent, upTo = {} }: Line & { is: 'branch' },
  branches: ReadonlyMap<number, ReadonlyMap<string, Added>>,
): Map<string, Added> {
  if (parent === undefined) return new Map();
  const jobs = [...(branches.get(parent) ?? [])];
  return new Map(jobs.filter(([, { queue, entry }]) => isUpTo(entry, upTo[queue] ?? '0-0')));
}

/** Entries of a stream are `<milliseconds>-<number>`. */
function isUpTo(entry: string, limit: string): boolean {
  const [[a, b], [c, d]] = [entry, limit].map((text) => text.split('-').map(Number)) as [
    [number, number],
    [number, number],
  ];
  return a < c || (a === c && b <= d);
}
