/** What a producer of Sidekiq jobs refuses, before it opens a connection. */
import { describe, expect, it, vi } from 'vitest';
import { createProducer, type SidekiqSettings } from '../../src/producer.ts';

function producer(settings: object = {}) {
  const nowhere = { redis: { url: 'redis://127.0.0.1:1' }, kafka: { brokers: ['127.0.0.1:1'] } };
  return createProducer({ target: 'sidekiq', ...nowhere, ...settings } as SidekiqSettings);
}

describe.each(['kafka', 'redis'] as const)('a Sidekiq job by %s', (via) => {
  const { perform, performMany, performJson } = producer({ via });

  it.each([
    ['queue', 7, "the Sidekiq job's queue is the number 7; allowed: a name of letters, digits"],
    ['queue', 'a b', `the Sidekiq job's queue is the string "a b"`],
    ['queue', null, 'queue: null is not allowed; allowed: a name'],
    ['retry', 'often', `the Sidekiq job's retry is the string "often"; allowed: true, false, or a whole number`],
    ['retry', -1, "the Sidekiq job's retry is the number -1"],
    ['tags', 'vip', `the Sidekiq job's tags is the string "vip"; allowed: a list`],
    ['tags', ['a', undefined], 'tags[1]: undefined is not allowed'],
    ['jid', 5, "the Sidekiq job's jid is the number 5; allowed: a text"],
    ['at', 'tomorrow', `the Sidekiq job's at is the string "tomorrow"; allowed: a number of seconds since the epoch`],
    ['at', 1_700_000_000_000, "the Sidekiq job's at is the number 1700000000000; allowed: a number of seconds"],
    ['at', new Date('no date'), 'at: the Date Invalid Date is not allowed; allowed: a Date, or a number of seconds'],
    ['at', Number.NaN, 'at: the number NaN is not allowed'],
    ['at', null, 'at: null is not allowed; allowed: a Date, or a number of seconds'],
    ['in', -1, 'in: the number -1 is not allowed; allowed: a number of seconds from 0 to below 1000000000'],
    ['in', 1_700_000_000, 'in: the number 1700000000 is not allowed'],
    ['in', '60', 'in: the string "60" is not allowed'],
    ['in', null, 'in: null is not allowed'],
    ['retry_for', 2_000_000_000, "the Sidekiq job's retry_for is the number 2000000000; allowed: a number of seconds"],
    ['unique_for', () => 1, 'unique_for: a function is not allowed'],
    ['key', 7, 'key: the number 7 is not allowed; allowed: a string'],
    ['headers', { a: 1 }, 'headers: an object is not allowed; allowed: an object of strings'],
    ['class', 'Other', 'class: is an argument of perform, and no option'],
    ['args', [], 'args: is an argument of perform, and no option'],
    ['enqueued_at', 1, 'enqueued_at: is written by Sluice'],
    ['sl', {}, 'sl: is written by Sluice'],
  ])('%s: %s', async (name, value, words) => {
    const performing = perform('HardJob', [], { [name]: value });
    await expect(performing).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await expect(performing).rejects.toThrow(words);
  });

  it.each([
    ['', [], `the Sidekiq job's class is the string ""; allowed: a class's name`],
    [undefined, [], 'the Sidekiq job has no class'],
    [class HardJob {}, [], 'class: a function is not allowed'],
    ['HardJob', undefined, 'the Sidekiq job has no args; allowed: a list'],
    ['HardJob', { a: 1 }, "the Sidekiq job's args is an object; allowed: a list"],
    ['HardJob', 'bob', `the Sidekiq job's args is the string "bob"`],
    ['HardJob', [{ since: new Date(0) }], 'args[0].since: an object of Date is not allowed; allowed: text, a finite'],
  ])('%s of %o', async (className, args, words) => {
    const performing = perform(className as string, args as unknown[]);
    await expect(performing).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await expect(performing).rejects.toThrow(words);
  });

  it('has one time', async () => {
    await expect(perform('HardJob', [], { in: 1, at: 2 })).rejects.toThrow('in: at is given too; one of them is');
  });

  it('is named by its place among many, and none of them is sent', async () => {
    const jobs = [
      { class: 'HardJob', args: [] },
      { class: 'HardJob', args: [undefined] },
    ];
    await expect(performMany(jobs)).rejects.toThrow('jobs[1]: args[0]: undefined is not allowed');
    const texts = ['{"class":"HardJob","args":[]}', '{"class":"HardJob"}'];
    await expect(performJson(texts)).rejects.toThrow('jobs[1]: the Sidekiq job has no args');
  });

  it('of none, nothing is sent', async () => {
    expect(await performMany([])).toEqual([]);
  });
});

describe('settings', () => {
  it.each([
    [{ proto: ['proto'] }, 'createProducer: proto: no such setting'],
    [{ dialect: '6' }, 'createProducer: dialect: "6" is not allowed; allowed: "7", "8"'],
    [{ via: 'rabbit' }, 'createProducer: via: "rabbit" is not allowed'],
    [{ topic: 'a topic' }, 'createProducer: topic: "a topic" is no topic name'],
    [{ target: 'sidekick' }, 'createProducer: target: "sidekick" is not allowed; allowed: "bullmq", "sidekiq"'],
  ])('%j are refused', (settings, words) => {
    expect(() => producer(settings)).toThrow(words);
  });

  it('come from the environment where the call says nothing', () => {
    vi.stubEnv('SLUICE_VIA', 'pigeon');
    expect(() => producer()).toThrow('via: "pigeon" is not allowed');
    vi.unstubAllEnvs();
  });
});

it('takes nothing once it is closed, and may be closed twice', async () => {
  const closed = producer();
  await closed.close();
  await closed.close();
  await expect(closed.perform('HardJob', [])).rejects.toMatchObject({ code: 'STOPPED' });
});
