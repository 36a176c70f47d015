import { expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import type { BatchWorkerOptions } from '../../src/definition/batch.ts';
import { defineWorkerFor } from '../../src/definition/define.ts';
import { workerSet } from '../../src/definition/discover.ts';
import type { Outcome, WorkerDefinition } from '../../src/definition/worker.ts';
import { SluiceError } from '../../src/errors.ts';
import { silentLog } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { loadSchemas } from '../../src/schema/load.ts';
import { perform } from '../../src/testing.ts';
import { attempt } from '../../src/worker/attempt.ts';
import { byMessage } from '../../src/worker/by-message.ts';
import { ROOT } from '../support/sluice.ts';

const TYPE = 'acme.web.v1.PageView';
const schemas = loadSchemas([`${ROOT}proto`]);

interface View {
  readonly url: string;
}

/** Runs a job for each URL at the same time; a signal for each, where some are to be let go. */
function runAll(options: BatchWorkerOptions<View>, urls: readonly string[], given: Given = {}): Promise<Outcome[]> {
  const definition = defineWorkerFor<View>(TYPE, options);
  const { isFull = () => false, signals = [], track = async () => undefined } = given;
  const context = {
    find: byMessage(workerSet([{ file: '', definition: definition as WorkerDefinition }]), schemas, isFull),
    portFor: () => ({ track }),
    log: silentLog,
    metrics: createMetrics(),
    clock: systemClock,
  };
  const job = (url: string, i: number) => ({
    id: `k~t~0~0~${i}`,
    queue: 'views',
    name: TYPE,
    data: { url },
    about: { key: `key-${i}`, headers: { nth: String(i) } },
    attempt: i + 1,
  });
  const never = new AbortController().signal;
  return Promise.all(urls.map((url, i) => attempt(job(url, i), signals[i] ?? never, context)));
}

interface Given {
  readonly isFull?: () => boolean;
  readonly signals?: readonly AbortSignal[];
  readonly track?: (fields: Readonly<Record<string, string>>) => Promise<void>;
}

it('takes messages together, at most so many, in their order, each with its own context', async () => {
  const batches: unknown[] = [];
  await runAll(
    {
      batch: { most: 2, waitMs: 1 },
      runBatch: (views, { each }) => {
        batches.push(
          views.map(({ url }, i) => {
            const { attempt: nth, key, headers, source, eventId } = each[i] as (typeof each)[number];
            expect(eventId).toMatch(/^[0-9a-f-]{36}$/);
            return [url, nth, key, headers.nth, source?.offset];
          }),
        );
      },
    },
    ['a', 'b', 'c'],
  );
  expect(batches).toEqual([
    [
      ['a', 1, 'key-0', '0', 0n],
      ['b', 2, 'key-1', '1', 1n],
    ],
    [['c', 3, 'key-2', '2', 2n]],
  ]);
});

it('does not wait where no other job can come', async () => {
  let added = 0;
  const isFull = () => {
    added += 1;
    return added === 3;
  };
  const sizes: number[] = [];
  const options = { batch: { waitMs: 60_000 }, runBatch: (views: readonly View[]) => void sizes.push(views.length) };
  await runAll(options, ['a', 'b', 'c'], { isFull });
  expect(sizes).toEqual([3]);
});

it('gives each message its own outcome', async () => {
  const given: (Outcome | undefined)[] = [
    undefined,
    { kind: 'done' },
    { kind: 'retry', reason: 'later', afterMs: 5 },
    { kind: 'dead', reason: 'never' },
    { kind: 'snooze', afterMs: 7 },
    { kind: 'snooze', afterMs: -1 },
  ];
  const outcomes = await runAll({ runBatch: () => given }, ['a', 'b', 'c', 'd', 'e', 'f']);
  expect(outcomes.slice(0, 5)).toEqual([{ kind: 'done' }, ...given.slice(1, 5)]);
  expect(outcomes[5]).toMatchObject({ kind: 'retry', reason: expect.stringContaining('with afterMs -1') });
});

it.each([
  ['one outcome', () => ({ kind: 'dead', reason: 'all' }) as Outcome, { kind: 'dead', reason: 'all' }],
  [
    'a throw',
    () => {
      throw new Error('down');
    },
    { kind: 'retry', reason: 'down' },
  ],
  [
    'what the collector refuses',
    () => Promise.reject(new SluiceError('COLLECTOR_REFUSED', 'no')),
    { kind: 'dead', reason: 'no' },
  ],
  [
    'too few outcomes',
    () => [{ kind: 'done' } as Outcome],
    { kind: 'retry', reason: 'the worker answered 1 outcomes for 2 messages' },
  ],
])('takes %s for all', async (_what, runBatch, outcome) => {
  expect(await runAll({ runBatch }, ['a', 'b'])).toMatchObject([outcome, outcome]);
});

it('keeps a message that does not fit its schema out of the batch', async () => {
  const seen: string[][] = [];
  const options = { runBatch: (views: readonly View[]) => void seen.push(views.map(({ url }) => url)) };
  const outcomes = await runAll(options, ['a', 7 as unknown as string, 'c']);
  expect(seen).toEqual([['a', 'c']]);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['done', 'dead', 'done']);
});

it('leaves out what is let go before the batch starts, and fires its signal when all are let go', async () => {
  const controllers = ['a', 'b', 'c'].map(() => new AbortController());
  const sizes: number[] = [];
  const reasons: unknown[] = [];
  const options = {
    batch: { waitMs: 20 },
    runBatch: (views: readonly View[], { signal, each }: { signal: AbortSignal; each: readonly unknown[] }) => {
      sizes.push(views.length, each.length);
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      controllers[1]?.abort('second');
      expect(reasons).toEqual([]);
      controllers[2]?.abort('third');
      return new Promise<void>(() => undefined);
    },
  };
  const running = runAll(options, ['a', 'b', 'c'], { signals: controllers.map(({ signal }) => signal) });
  controllers[0]?.abort('first');
  expect((await running).map((outcome) => Reflect.get(outcome, 'cause'))).toEqual(['first', 'second', 'third']);
  expect(sizes).toEqual([2, 2]);
  await vi.waitFor(() => expect(reasons).toEqual(['third']));
});

it('sends one event for each message, and answers what became of each', async () => {
  const sent: unknown[] = [];
  const track = async (fields: Readonly<Record<string, string>>) => {
    sent.push(fields.url);
    if (fields.url === 'b') throw new SluiceError('COLLECTOR_REFUSED', 'not this one');
    if (fields.url === 'd') throw new SluiceError('COLLECTOR_UNAVAILABLE', 'away');
  };
  const outcomes = await runAll(
    {
      runBatch: (views, { collector }) =>
        collector.trackMany(views.map(({ url }) => (url === 'c' ? undefined : { e: 'pv', url }))),
    },
    ['a', 'b', 'c', 'd'],
    { track },
  );
  expect(sent).toEqual(['a', 'b', 'd']);
  expect(outcomes).toMatchObject([
    { kind: 'done' },
    { kind: 'dead', reason: 'not this one' },
    { kind: 'done' },
    { kind: 'retry', reason: 'away' },
  ]);
});

it('is performed as a batch of one', async () => {
  const worker = defineWorkerFor<View>(TYPE, {
    runBatch: (views, { collector }) => collector.trackMany(views.map(({ url }) => ({ e: 'pv', url }))),
  });
  const { outcome, collected } = await perform(worker, { url: 'https://x' }, { proto: [`${ROOT}proto`] });
  expect([outcome, collected]).toEqual([{ kind: 'done' }, [{ e: 'pv', url: 'https://x' }]]);
});

it.each([
  [{}, 'run: undefined is not allowed; allowed: a function (message, ctx)'],
  [{ runBatch: 1 }, 'runBatch: the number 1 is not allowed; allowed: a function (messages, ctx)'],
  [{ run() {}, runBatch() {} }, /run: .* is not allowed; allowed: nothing where the worker has runBatch/],
  [{ run() {}, batch: {} }, /batch: .* is not allowed; allowed: nothing where the worker has no runBatch/],
  [{ runBatch() {}, batch: { most: 0 } }, 'batch.most: the number 0 is not allowed; allowed: a whole number from 1'],
  [{ runBatch() {}, batch: { waitMs: 1.5 } }, 'batch.waitMs: the number 1.5 is not allowed'],
  [{ runBatch() {}, batch: { mots: 1 } }, 'unknown option "mots"; did you mean "most"?'],
])('refuses options that cannot work: %j', (options, problem) => {
  expect(() => defineWorkerFor(TYPE, options as never)).toThrow(problem);
});
