import { expect, it } from 'vitest';
import type { ResetPlan } from '../../src/bridge/reset-plan.ts';
import type { PartitionView } from '../../src/cli/offsets/facts.ts';
import { planLines } from '../../src/cli/offsets/plan-text.ts';
import { counted } from '../../src/cli/output.ts';

const view = { topic: 't', partition: 0 } as PartitionView;

function linesOf(end: number, jobs: number, recordsAre: ResetPlan['recordsAre']): string[] {
  const ranges = [{ start: 7, end }];
  const plan = {
    offset: 7,
    recordsAre,
    metadata: { generation: 1 },
    before: { offset: 3, generation: 0 },
    skipped: ranges,
    gone: ranges,
    again: ranges,
    unwatchedJobs: jobs,
    onlyInRedis: jobs,
  } as unknown as ResetPlan;
  return planLines(view, plan)
    .slice(1)
    .map((line) => line.trim());
}

it('tells of one and of many', () => {
  expect([0, 1, 2, 1_234].map((number) => counted(number, 'letter'))).toEqual([
    '0 letters',
    '1 letter',
    '2 letters',
    '1,234 letters',
  ]);
  expect(linesOf(8, 1, 'same')).toEqual([
    '1 record never becomes a job: 7',
    '1 record was not finished, and has left the log: 7',
    '1 record becomes a job, also if it did so before: 7',
    '1 job on a queue runs on unwatched: one that dies stays in its queue, without a letter',
    'up to 1 job below the offset may be unfinished, which a loss of Redis would lose',
  ]);
  expect(linesOf(1_007, 20, 'new')).toEqual([
    '1,000 records never become jobs: 7 to 1006',
    '1,000 records were not finished, and have left the log: 7 to 1006',
    '1,000 records become jobs, also those that did so before: 7 to 1006',
    '20 jobs on queues run on unwatched: one that dies stays in its queue, without a letter',
  ]);
});
