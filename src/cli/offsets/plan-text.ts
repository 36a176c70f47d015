/** A reset, told before it is done: from where to where, and what that does to which records. */
import type { ResetPlan } from '../../bridge/reset-plan.ts';
import { partitionKey } from '../../kafka/consumer.ts';
import { counted } from '../output.ts';
import type { PartitionView } from './facts.ts';

const SHAPE_VERSION = 1;

/** Shown to people. */
const MOST_RANGES = 20;

type Ranges = ResetPlan['skipped'];

export function planJson({ topic, partition }: PartitionView, plan: ResetPlan, isDryRun: boolean) {
  const { metadata, ...rest } = plan;
  return { version: SHAPE_VERSION, topic, partition, isDryRun, ...rest, generation: metadata.generation };
}

export function planLines(view: PartitionView, plan: ResetPlan): string[] {
  const { offset, before, metadata, recordsAre, skipped, gone, again, unwatchedJobs, onlyInRedis } = plan;
  const generation =
    recordsAre === 'new'
      ? `; its records count as new (generation ${before.generation} becomes ${metadata.generation})`
      : '; what is finished or on a queue stays so';
  return [
    `${partitionKey(view)}: from ${before.offset ?? 'no commit'} to ${offset}${generation}`,
    ...told(skipped, 'record never becomes a job', 'records never become jobs'),
    ...told(gone, 'record was not finished, and has left the log', 'records were not finished, and have left the log'),
    ...told(
      again,
      'record becomes a job, also if it did so before',
      'records become jobs, also those that did so before',
    ),
    ...(unwatchedJobs > 0
      ? [`  ${counted(unwatchedJobs, 'job on a queue runs', 'jobs on queues run')} on unwatched: ${UNWATCHED}`]
      : []),
    ...(recordsAre === 'same' && onlyInRedis > 0
      ? [`  up to ${counted(onlyInRedis, 'job')} below the offset may be unfinished, which a loss of Redis would lose`]
      : []),
  ];
}

/** Of jobs. */
const UNWATCHED = 'one that dies stays in its queue, without a letter';

function told(ranges: Ranges, one: string, several: string): string[] {
  const count = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (count === 0) return [];
  const texts = ranges.map(({ start, end }) => (end - start === 1 ? `${start}` : `${start} to ${end - 1}`));
  const more =
    texts.length > MOST_RANGES
      ? ` and ${counted(texts.length - MOST_RANGES, 'more stretch', 'more stretches')} (all of them: --json)`
      : '';
  return [`  ${counted(count, one, several)}: ${texts.slice(0, MOST_RANGES).join(', ')}${more}`];
}
