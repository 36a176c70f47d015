import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  type Circumstances,
  type Failure,
  fateOf,
  poisonedText,
  postponedText,
} from '../../../src/queue/sidekiq/failure.ts';
import { type QueuedJob, readJob } from '../../../src/queue/sidekiq/job.ts';

const NOW_MS = 1_700_000_000_500;
const ARGS = '[1.0, 9007199254740993, [], {}, "zażółć"]';

function job(fields: Record<string, unknown> = {}): QueuedJob {
  const rest = JSON.stringify({ jid: 'j', queue: 'low', retry: true, created_at: 1_600_000_000.25, ...fields });
  return readJob(Buffer.from(`{"class":"Hard","args":${ARGS},${rest.slice(1)}`)) as QueuedJob;
}

const failure: Failure = { class: 'TypeError', message: 'no', backtrace: ['a', 'b', 'c'], isFinal: false };

function fate(fields: Record<string, unknown> = {}, more: Partial<Failure> = {}, given: Partial<Circumstances> = {}) {
  const circumstances = { queue: 'low', nowMs: NOW_MS, dialect: '7', random: () => 0, ...given } as const;
  const found = fateOf(job(fields), { ...failure, ...more }, circumstances);
  return { ...found, job: JSON.parse(found.text) as Record<string, unknown> };
}

describe('the first failure', () => {
  it('is written as Ruby writes it, and leaves everything else as it was spelled', () => {
    const { kind, text } = fate({ tags: ['x'], unknown: { a: 1 } });
    expect(kind).toBe('retry');
    expect(text).toBe(
      `{"class":"Hard","args":${ARGS},"jid":"j","queue":"low","retry":true,"created_at":1600000000.25,"tags":["x"],` +
        '"unknown":{"a":1},"error_message":"no","error_class":"TypeError","failed_at":1700000000.500000,"retry_count":0}',
    );
  });

  it('counts milliseconds in the dialect of Sidekiq 8', () => {
    expect(fate({}, {}, { dialect: '8' }).job).toMatchObject({ failed_at: NOW_MS, retry_count: 0 });
  });
});

it('a later failure keeps the first time and counts', () => {
  const { job: failed } = fate({ failed_at: 1_600_000_001.5, retry_count: 3 });
  expect(failed).toMatchObject({ failed_at: 1_600_000_001.5, retried_at: NOW_MS / 1_000, retry_count: 4 });
});

describe('the wait', () => {
  it.each([
    [undefined, '7', 0, 15],
    [undefined, '7', 0.99, 15 + 9],
    [3, '7', 0.99, 4 ** 4 + 15 + 9 * 5],
    [3, '8', 0.99, 4 ** 4 + 15 + Math.floor(0.99 * 50)],
    [23, '7', 0, 24 ** 4 + 15],
  ] as const)('after retry %s in dialect %s with a luck of %s is %s s', (retry_count, dialect, luck, seconds) => {
    const found = fate({ retry_count }, {}, { dialect, random: () => luck });
    expect(found).toMatchObject({ kind: 'retry', waitMs: seconds * 1_000 });
  });

  it('is what the outcome asks for', () => {
    expect(fate({}, { waitMs: 70 })).toMatchObject({ kind: 'retry', waitMs: 70 });
  });
});

describe('how often', () => {
  it.each([
    [{ retry: 0 }, 'dead'],
    [{ retry: 1 }, 'retry'],
    [{ retry: 1, retry_count: 0 }, 'dead'],
    [{ retry: 3, retry_count: 1 }, 'retry'],
    [{ retry: 3, retry_count: 2 }, 'dead'],
    [{ retry: true, retry_count: 23 }, 'retry'],
    [{ retry: true, retry_count: 24 }, 'dead'],
    [{ retry: '5', retry_count: 23 }, 'retry'],
    [{ retry: -1 }, 'dead'],
    [{ retry: null, retry_count: 23 }, 'retry'],
    [{ retry: false }, 'dropped'],
    [{ retry: 0, dead: false }, 'dropped'],
    [{ retry: 0, dead: null }, 'dead'],
  ])('%j: %s', (fields, kind) => {
    expect(fate(fields).kind).toBe(kind);
  });

  it('writes down that a job is tried again that did not say', () => {
    expect(fate({ retry: null }).job.retry).toBe(true);
  });

  it('is once where the worker says never again, and the job is dead even if it is never tried again', () => {
    for (const retry of [true, 25, false]) expect(fate({ retry }, { isFinal: true }).kind).toBe('dead');
    expect(fate({ dead: false }, { isFinal: true }).kind).toBe('dropped');
  });
});

describe('retry_for', () => {
  const first = { failed_at: NOW_MS / 1_000 - 100, retry_count: 0 };

  it.each([
    ['7', { ...first, retry_for: 99 }, 'dead'],
    ['7', { ...first, retry_for: 101 }, 'retry'],
    ['7', { ...first, retry_for: 101, retry: 1 }, 'dead'],
    ['8', { ...first, retry_for: 99 }, 'dead'],
    ['8', { ...first, retry_for: 101, retry: 0 }, 'retry'],
    ['8', { ...first, failed_at: NOW_MS - 100_000, retry_for: 99 }, 'dead'],
    ['7', { retry_for: 1 }, 'retry'],
  ] as const)('dialect %s, %j: %s', (dialect, fields, kind) => {
    expect(fate(fields, {}, { dialect }).kind).toBe(kind);
  });
});

it('says in the dialect of Sidekiq 8 when a job was discarded', () => {
  expect(fate({ retry: 0, dead: false }, {}, { dialect: '8' }).job.discarded_at).toBe(NOW_MS);
  expect(fate({ retry: 0, dead: false }).job.discarded_at).toBeUndefined();
});

it.each([
  [{}, 'low'],
  [{ queue: 'elsewhere' }, 'low'],
  [{ retry_queue: 'slow' }, 'slow'],
  [{ retry_queue: null }, 'low'],
])('the queue of a retry of %j is %s', (fields, queue) => {
  expect(fate(fields).job.queue).toBe(queue);
});

describe('the backtrace', () => {
  const linesOf = (text: unknown) =>
    JSON.parse(inflateSync(Buffer.from(String(text), 'base64')).toString()) as string[];

  it.each([
    [true, ['a', 'b', 'c']],
    [2, ['a', 'b']],
    ['1', ['a']],
    [0, []],
  ])('backtrace %j keeps %j', (backtrace, lines) => {
    expect(linesOf(fate({ backtrace }).job.error_backtrace)).toEqual(lines);
  });

  it('is left out where nobody asked', () => {
    for (const backtrace of [undefined, null, false]) {
      expect(fate({ backtrace }).job).not.toHaveProperty('error_backtrace');
    }
  });

  it('is broken into lines for Sidekiq 6 and 7', () => {
    const long = { backtrace: Array.from({ length: 40 }, (_, i) => `line ${i * 7919}`) };
    const text = String(fate({ backtrace: true }, long).job.error_backtrace);
    const lines = text.split('\n');
    expect(lines.at(-1)).toBe('');
    expect(lines.slice(0, -2).every((line) => line.length === 60)).toBe(true);
    expect(fate({ backtrace: true }, long, { dialect: '8' }).job.error_backtrace).toBe(text.replaceAll('\n', ''));
  });
});

it('cuts a message at 10,000 characters, and leaves no half of one', () => {
  expect([...String(fate({}, { message: '🦊'.repeat(10_001) }).job.error_message)]).toHaveLength(10_000);
  expect(fate({}, { message: 'a\ud800' }).job.error_message).toBe('a\ufffd');
});

it('a dead job is told apart from one that its bridge waits for', () => {
  const sl = { source: 'k~t~0~1~2', id: 'e' };
  expect(fate({ retry: 0, sl }).job.sl).toEqual({ from: 'k~t~0~1~2', id: 'e' });
  expect(fate({ retry: 1, sl }).job.sl).toEqual(sl);
  // Another job in the arguments is no business of ours.
  const carried = { sl: { source: 'k~t~0~1~3' } };
  expect(fate({ retry: 0, carried, sl }).job).toMatchObject({ carried, sl: { from: 'k~t~0~1~2' } });
  expect(fate({ retry: 0, carried }).job).toMatchObject({ carried });
});

it('leaves a record that its arguments carry alone', () => {
  const args = '[{"sl":{"source":"k~t~0~1~2"}}]';
  const carrying = readJob(Buffer.from(`{"class":"A","args":${args},"retry":0}`)) as QueuedJob;
  const { text } = fateOf(carrying, failure, { queue: 'low', nowMs: NOW_MS, dialect: '7', random: () => 0 });
  expect(text).toContain(`"args":${args}`);
});

it('a class that is unknown is tried again even if its job says never', () => {
  expect(fate({ retry: false }, { isUnknown: true })).toMatchObject({
    kind: 'retry',
    job: { retry: false, retry_count: 0 },
  });
  expect(fate({ retry: false, retry_count: 24 }, { isUnknown: true }).kind).toBe('dead');
  expect(fate({ retry: 0 }, { isUnknown: true }).kind).toBe('dead');
});

it('a postponed job has not failed, and has not been enqueued', () => {
  const text = postponedText(job({ enqueued_at: 1 }), 'low');
  expect(text).toBe(`{"class":"Hard","args":${ARGS},"jid":"j","queue":"low","retry":true,"created_at":1600000000.25}`);
});

it('a job that took its hosts down says so', () => {
  const text = poisonedText(job(), { queue: 'low', nowMs: NOW_MS, dialect: '7', random: () => 0 });
  expect(JSON.parse(text)).toMatchObject({
    error_class: 'Sluice::HostDied',
    failed_at: NOW_MS / 1_000,
    retry_count: 0,
  });
});
