/** What the enqueue script is told once, and what of each job; contract.real.test.ts shows what Redis makes of it. */
import { expect, it } from 'vitest';
import type { Job } from '../../../src/job/job.ts';
import { bullOptions } from '../../../src/job/options.ts';
import { DEFAULT_BACKOFF } from '../../../src/job/place.ts';
import { batchArguments } from '../../../src/queue/bullmq/batch-arguments.ts';

const MAIL: Job = {
  queue: 'mail',
  name: 'a.Mail',
  data: '{}',
  attempts: 3,
  backoff: DEFAULT_BACKOFF,
  timestamp: 5,
  delayMs: 0,
  priority: 0,
  about: { key: 'k' },
};

const LEAN: Job = { ...MAIL, attempts: undefined, backoff: undefined };

function argumentsOf(...jobs: Job[]) {
  const batch = { jobs: jobs.map((job, i) => ({ offset: 100 + i, job })), last: 100 + jobs.length };
  return batchArguments(batch, (queue) => `bull:${queue}:`);
}

/** Of one treatment: five arguments behind the queues and the number of treatments. */
function treatment(args: readonly (string | number)[], queues: number, number: number) {
  const from = 2 + 2 * queues + 5 * (number - 1);
  return args.slice(from, from + 5);
}

it('tells once what jobs have in common, and the rest of each', () => {
  const args = argumentsOf(MAIL, { ...MAIL, data: '{"a":1}', about: {}, timestamp: 6 });
  expect(args.slice(0, 3)).toEqual([1, 'mail', 'bull:mail:']);
  expect(args[3]).toBe(1);
  expect(treatment(args, 1, 1)).toEqual([1, 'a.Mail', expect.any(String), 0, 0]);
  expect(args.slice(9)).toEqual([1, 100, 2, '{}', '{"key":"k"}', 5, '{"a":1}', '{}', 6]);
});

it('splits the options so that both parts are those of a direct job', () => {
  for (const job of [
    MAIL,
    { ...MAIL, delayMs: 9, priority: 4 },
    { ...MAIL, about: { key: '}"', headers: { a: '{}' } } },
    LEAN,
    { ...LEAN, attempts: 3, delayMs: 9, priority: 4, about: {} },
  ]) {
    const args = argumentsOf(job);
    const [, , head] = treatment(args, 1, 1);
    expect(`${head}${args[13]}}`).toBe(JSON.stringify(bullOptions(job, true)));
  }
});

it.each<[string, Partial<Job>, unknown[]]>([
  ['neither', {}, ['', '']],
  ['a delay', { delayMs: 9 }, [9, '']],
  ['a priority', { priority: 4 }, ['', 4]],
])('tells of a lean queue that a job goes without the fields that say nothing: %s', (_, change, fields) => {
  expect(treatment(argumentsOf({ ...LEAN, ...change }), 1, 1).slice(3)).toEqual(fields);
});

it.each([
  ['queue', { queue: 'other' }],
  ['name', { name: 'a.Other' }],
  ['attempts', { attempts: 4 }],
  ['backoff', { backoff: { ...DEFAULT_BACKOFF, baseMs: 7 } }],
  ['delay', { delayMs: 1 }],
  ['priority', { priority: 1 }],
])('a different %s is a treatment of its own, wherever it comes again', (_, change) => {
  const other = { ...MAIL, ...change };
  const args = argumentsOf(MAIL, other, MAIL, other);
  const queues = args[0] as number;
  expect(args[1 + 2 * queues]).toBe(2);
  const runs = args.slice(2 + 2 * queues + 10);
  expect([0, 6, 12, 18].map((at) => runs.slice(at, at + 3))).toEqual([
    [1, 100, 1],
    [2, 101, 1],
    [1, 102, 1],
    [2, 103, 1],
  ]);
});

it('a gap in the offsets begins a run', () => {
  const jobs = [7, 8, 11].map((offset) => ({ offset, job: MAIL }));
  const args = batchArguments({ jobs, last: 11 }, (queue) => `bull:${queue}:`);
  expect([args.slice(9, 12), args.slice(18, 21)]).toEqual([
    [1, 7, 2],
    [1, 11, 1],
  ]);
});

it('is empty for a batch without jobs', () => {
  expect(argumentsOf()).toEqual([0, 0]);
});
