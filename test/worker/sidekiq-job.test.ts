import { expect, it } from 'vitest';
import { defineSidekiqWorker } from '../../src/definition/sidekiq-worker.ts';
import type { Outcome } from '../../src/definition/worker.ts';
import { type QueuedJob, readJob } from '../../src/queue/sidekiq/job.ts';
import { settlementOf, takenJob } from '../../src/worker/hosts/sidekiq-job.ts';

const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 59, 999);

const read = (fields: object) =>
  readJob(Buffer.from(JSON.stringify({ class: 'A', args: [1], ...fields }))) as QueuedJob;

function settled(outcome: Outcome, fields: object = {}, backoff?: { baseMs: number; maxMs: number }) {
  const run = () => undefined;
  const definition = defineSidekiqWorker(undefined, { sidekiq: 'A', run, ...(backoff && { backoff }) });
  return settlementOf(read(fields), outcome, { queue: 'q', definition, nowMs: NOW_MS, dialect: '7' });
}

it.each([
  [{}, 1],
  [{ retry_count: 0 }, 2],
  [{ retry_count: 4 }, 6],
])('counts attempts from 1: %j is attempt %i', (fields, attempt) => {
  expect(takenJob('q', read(fields))).toMatchObject({ attempt, name: 'A', data: [1], queue: 'q' });
});

it('knows the event by its own id, or by one that stays on whatever queue it is', () => {
  const id = (queue: string, fields: object) => takenJob(queue, read(fields)).about?.id;
  expect(id('q', { jid: 'j', sl: { id: 'own' } })).toBe('own');
  const derived = id('q', { jid: 'j', created_at: 1.5 });
  expect(id('slow', { jid: 'j', created_at: 1.5, retry_count: 3 })).toBe(derived);
  expect(id('q', { jid: 'k', created_at: 1.5 })).not.toBe(derived);
  expect(id('q', { jid: 'k', created_at: 2.5, sl: { from: 'k~t~0~1~2' } })).toBe(
    id('q', { jid: 'j', created_at: 2.5, sl: { source: 'k~t~0~1~2' } }),
  );
});

it('names the record that it came from, whether its bridge waits or not', () => {
  for (const name of ['source', 'from']) {
    expect(takenJob('q', read({ jid: 'j', sl: { [name]: 'k~t~0~1~2' } }))).toMatchObject({
      id: 'j',
      source: 'k~t~0~1~2',
    });
  }
});

it('puts outcomes down on their day', () => {
  const day = '2026-01-31';
  expect(settled({ kind: 'done' })).toEqual({ kind: 'finish', day });
  expect(settled({ kind: 'dead', reason: 'x' })).toMatchObject({ kind: 'kill', isKept: true, day });
  expect(settled({ kind: 'retry', reason: 'x' })).toMatchObject({ kind: 'postpone', set: 'retry', day });
  expect(settled({ kind: 'retry', reason: 'x' }, { retry: false })).toMatchObject({ kind: 'kill', isKept: false, day });
});

it('does not count a snooze', () => {
  expect(settled({ kind: 'snooze', afterMs: 70 })).toEqual({
    kind: 'postpone',
    set: 'schedule',
    text: '{"class":"A","args":[1],"queue":"q"}',
    waitMs: 70,
  });
});

it("waits as the outcome says, or else the worker's backoff, or else as Sidekiq does", () => {
  const backoff = { baseMs: 8, maxMs: 8 };
  const waitMs = (...given: Parameters<typeof settled>) => Reflect.get(settled(...given), 'waitMs') as number;
  expect(waitMs({ kind: 'retry', reason: 'x', afterMs: 7 }, {}, backoff)).toBe(7);
  expect(waitMs({ kind: 'retry', reason: 'x' }, { retry_count: 9 }, backoff)).toBeLessThanOrEqual(8);
  expect(waitMs({ kind: 'retry', reason: 'x' })).toBeGreaterThanOrEqual(15_000);
});

it('names the class of an error that does not name itself', () => {
  class OutOfPaper extends Error {}
  const text = (cause: unknown) =>
    JSON.parse(Reflect.get(settled({ kind: 'retry', reason: 'x', cause }), 'text') as string);
  expect(text(new OutOfPaper('x'))).toMatchObject({ error_class: 'OutOfPaper', error_message: 'x' });
  expect(text(new TypeError('x')).error_class).toBe('TypeError');
  expect(text('thrown').error_class).toBe('Sluice::Retry');
});
