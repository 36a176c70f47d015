import { expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { createFailureLog } from '../../src/worker/failure-log.ts';

const job = { id: '1', queue: 'mail', name: 'acme.Send', data: {}, about: undefined, attempt: 2 };

function told() {
  const lines: [object, string][] = [];
  let now = 1_000_000;
  const clock = { now: () => now, sleep: async () => undefined };
  const pass = (ms: number) => {
    now += ms;
  };
  const log = { ...silentLog, warn: (fields: object, text: string) => void lines.push([fields, text]) };
  return { lines, failures: createFailureLog(log, clock), pass };
}

it('tells the first failure of a message with its stack, then counts', () => {
  const { lines, failures, pass } = told();
  const cause = new Error('no luck');
  for (let i = 0; i < 100; i += 1) failures.tell(job, { kind: 'retry', reason: 'no luck', cause });
  pass(5_000);
  failures.tell(job, { kind: 'retry', reason: 'again' });
  const about = { message: 'acme.Send', queue: 'mail', jobId: '1', attempt: 2 };
  expect(lines).toEqual([
    [{ ...about, reason: 'no luck', passedOver: 0, err: cause }, 'an attempt failed'],
    [{ ...about, reason: 'again', passedOver: 99 }, 'an attempt failed'],
  ]);
});

it('tells the dead apart, and each message for itself', () => {
  const { lines, failures } = told();
  failures.tell(job, { kind: 'retry', reason: 'no' });
  failures.tell(job, { kind: 'dead', reason: 'never' });
  failures.tell({ ...job, name: 'acme.Other' }, { kind: 'dead', reason: 'never' });
  expect(lines.map(([, text]) => text)).toEqual(['an attempt failed', 'a job is dead', 'a job is dead']);
});

it('says nothing of what went well', () => {
  const { lines, failures } = told();
  failures.tell(job, { kind: 'done' });
  failures.tell(job, { kind: 'snooze', afterMs: 1 });
  expect(lines).toEqual([]);
});
