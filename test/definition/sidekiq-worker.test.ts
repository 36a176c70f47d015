import { expect, expectTypeOf, it } from 'vitest';
import { workerSet } from '../../src/definition/discover.ts';
import { defineWorker } from '../../src/index.ts';

const run = () => undefined;

it('fills in the defaults', () => {
  expect(defineWorker({ sidekiq: '::Billing::Charge', run })).toMatchObject({
    sidekiq: 'Billing::Charge',
    message: undefined,
    queue: 'default',
    arguments: undefined,
    backoff: undefined,
    timeoutMs: 60_000,
  });
  expect(
    defineWorker('t.Inner', { sidekiq: 'HardJob', queue: 'a:b.c', arguments: 'base64', backoff: { baseMs: 5 }, run }),
  ).toMatchObject({ message: 't.Inner', queue: 'a:b.c', arguments: 'base64', backoff: { baseMs: 5, maxMs: 300_000 } });
});

it('types the arguments as the worker names them', () => {
  defineWorker<[number, string]>({
    sidekiq: 'HardJob',
    run: (args) => void expectTypeOf(args).toEqualTypeOf<[number, string]>(),
  });
  defineWorker({ sidekiq: 'HardJob', run: (args) => void expectTypeOf(args).toEqualTypeOf<readonly unknown[]>() });
  defineWorker('t.Inner', { sidekiq: 'HardJob', run: (message) => void expectTypeOf(message).toHaveProperty('text') });
  defineWorker('t.Inner', { attempts: 3, run: (message) => void expectTypeOf(message).toHaveProperty('text') });
});

it.each<[string | undefined, object, RegExp]>([
  [
    undefined,
    { sidekiq: 'hard', run },
    /^worker hard: sidekiq: the string "hard" is not allowed; allowed: the name of a Ruby class/,
  ],
  [undefined, { run }, /^worker undefined: sidekiq: undefined is not allowed/],
  [undefined, { sidekiq: 'A' }, /^worker A: run: undefined is not allowed; allowed: a function \(args, ctx\)$/],
  [
    undefined,
    { sidekiq: 'A', run, arguments: 'json' },
    /arguments: the string "json" is not allowed; allowed: nothing where the worker has no message/,
  ],
  [
    't.Inner',
    { sidekiq: 'A', run, arguments: 'xml' },
    /arguments: the string "xml" is not allowed; allowed: 'json', 'base64', 'fields'$/,
  ],
  [
    't.Inner',
    { sidekiq: 'A', run: 5 },
    /^worker t.Inner: run: the number 5 is not allowed; allowed: a function \(message, ctx\)$/,
  ],
  ['t Inner', { sidekiq: 'A', run }, /message: the string "t Inner" is not allowed/],
  [
    't.Inner',
    { sidekiq: 'A', run, queue: 'a b' },
    /queue: the string "a b" is not allowed; allowed: a name of letters/,
  ],
  ['t.Inner', { sidekiq: 'A', run, queue: 5 }, /queue: the number 5 is not allowed/],
  ['t.Inner', { sidekiq: 'A', run, attempts: 3 }, /unknown option "attempts"; allowed: sidekiq, queue, arguments/],
  ['t.Inner', { sidekiq: 'A', run, quue: 'x' }, /unknown option "quue"; did you mean "queue"/],
  [
    't.Inner',
    { sidekiq: 'A', run, timeoutMs: 0 },
    /timeoutMs: the number 0 is not allowed; allowed: a whole number from 1/,
  ],
  [
    't.Inner',
    { sidekiq: 'A', run, backoff: 5 },
    /backoff: the number 5 is not allowed; allowed: an object with baseMs and maxMs/,
  ],
  ['t.Inner', { sidekiq: 'A', run, backoff: { baseMs: -1 } }, /backoff.baseMs: the number -1/],
])('refuses %s with %j', (message, options, problem) => {
  const define = defineWorker as (...args: unknown[]) => unknown;
  expect(() => (message === undefined ? define(options) : define(message, options))).toThrow(problem);
});

it('keeps the workers of classes apart from those of messages', () => {
  const ofMessage = defineWorker('t.Inner', { queue: 'a', run });
  const ofClass = defineWorker('t.Inner', { sidekiq: 'HardJob', queue: 'b', run });
  const set = workerSet([
    { file: '1', definition: ofMessage },
    { file: '2', definition: ofClass },
  ]);
  expect([set.get('t.Inner'), set.queues(), set.all().length]).toEqual([ofMessage, ['a'], 1]);
  expect([set.sidekiq.get('HardJob'), set.sidekiq.queues(), set.sidekiq.get('t.Inner')]).toEqual([
    ofClass,
    ['b'],
    undefined,
  ]);
});
