/** What is asked of the jobs of a batch, whether they are packed or not. */
import type { Jobs, PackedJobs, PlacedJob } from './sink.ts';

export function isPacked(jobs: Jobs): jobs is PackedJobs {
  return !Array.isArray(jobs);
}

/** For a sink that packs them itself. */
export function unpacked(jobs: Jobs): readonly PlacedJob[] {
  if (isPacked(jobs)) throw new TypeError('the jobs are packed for another sink');
  return jobs;
}

export function offsetsOf(jobs: Jobs): readonly number[] {
  return isPacked(jobs) ? jobs.offsets : jobs.map(({ offset }) => offset);
}

export function countOf(jobs: Jobs): number {
  return isPacked(jobs) ? jobs.count : jobs.length;
}

/** About what their texts take. */
export function textBytesOf(jobs: Jobs): number {
  return isPacked(jobs) ? jobs.textBytes : jobs.reduce((sum, { job }) => sum + job.data.length, 0);
}

/** How many there are of each queue. */
export function countsByQueue(jobs: Jobs): ReadonlyMap<string, number> {
  if (isPacked(jobs)) return jobs.byQueue;
  const counts = new Map<string, number>();
  for (const { job } of jobs) counts.set(job.queue, (counts.get(job.queue) ?? 0) + 1);
  return counts;
}
