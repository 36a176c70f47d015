/** What a producer refuses, before it opens a connection. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProducer, type OutgoingEvent, type ProducerSettings } from '../../src/producer.ts';

const PROTO = new URL('../../proto', import.meta.url).pathname;
const TYPE = 'acme.web.v1.PageView';
const NOWHERE = 'redis://127.0.0.1:1';

function producer(settings: ProducerSettings = {}) {
  return createProducer({ proto: [PROTO], via: 'redis', redis: { url: NOWHERE }, ...settings });
}

describe.each(['kafka', 'redis'] as const)('an event by %s', (via) => {
  const { send, sendMany } = producer({ via, kafka: { brokers: ['127.0.0.1:1'] } });

  it.each([
    ['delayMs', -1, 'delayMs: the number -1 is not allowed; allowed: a whole number from 0 to 3155760000000'],
    ['delayMs', 1.5, 'delayMs: the number 1.5 is not allowed'],
    ['delayMs', '1000', 'delayMs: the string "1000" is not allowed'],
    ['delayMs', Number.NaN, 'delayMs: the number NaN is not allowed'],
    ['runAt', new Date('no date'), 'runAt: the Date Invalid Date is not allowed; allowed: a Date, or milliseconds'],
    ['runAt', '2026-01-01', 'runAt: the string "2026-01-01" is not allowed'],
    ['runAt', 1e300, 'runAt: the number 1e+300 is not allowed'],
    ['priority', 2_097_152, 'priority: the number 2097152 is not allowed; allowed: a whole number from 0 to 2097151'],
    ['attempts', 0, 'attempts: the number 0 is not allowed; allowed: a whole number from 1'],
    ['queue', 'a:b', `queue: the string "a:b" is not allowed; allowed: a name without ':'`],
    ['queue', '', 'queue: the string "" is not allowed'],
    ['topic', 'a topic', 'topic: the string "a topic" is not allowed; allowed: a topic name'],
    ['key', 7, 'key: the number 7 is not allowed; allowed: a string'],
    ['id', null, 'id: null is not allowed; allowed: a string'],
    ['headers', { a: 1 }, 'headers: an object is not allowed; allowed: an object of strings'],
    ['headers', ['a'], 'headers: an object is not allowed'],
  ])('%s: %s', async (name, value, words) => {
    const sending = send(TYPE, { url: 'x' }, { [name]: value });
    await expect(sending).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await expect(sending).rejects.toThrow(words);
  });

  it('has only options that there are', async () => {
    const sending = send(TYPE, { url: 'x' }, { atempts: 3 } as never);
    await expect(sending).rejects.toThrow('atempts: no such option; did you mean "attempts"?; allowed: key, id, queue');
  });

  it('has one time', async () => {
    const sending = send(TYPE, { url: 'x' }, { delayMs: 1, runAt: new Date() });
    await expect(sending).rejects.toThrow('delayMs: runAt is given too; one of them is allowed');
  });

  it.each([
    [{ urll: 'x' }, /urll: .*did you mean "url"/],
    [{ bytes: 'many' }, /bytes: /],
    [{ status: 1.5 }, /status: /],
    [null, /PageView/],
    ['text', /PageView/],
  ])('has a message that fits its type: %j', async (message, words) => {
    await expect(send(TYPE, message)).rejects.toMatchObject({ code: 'INVALID_MESSAGE' });
    await expect(send(TYPE, message)).rejects.toThrow(words);
  });

  it('has a type that there is', async () => {
    await expect(send('acme.web.v1.PageVew', {})).rejects.toThrow('did you mean acme.web.v1.PageView?');
  });

  it('is named by its place among many, and none of them is sent', async () => {
    const events: OutgoingEvent[] = [
      { type: TYPE, message: { url: 'x' } },
      { type: TYPE, message: { url: 'x' }, priority: -1 },
    ];
    await expect(sendMany(events)).rejects.toThrow('events[1]: priority: the number -1 is not allowed');
  });
});

describe('settings', () => {
  beforeEach(() => {
    for (const name of ['SLUICE_VIA', 'KAFKA_BROKERS', 'REDIS_URL']) vi.stubEnv(name, undefined);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it.each([
    [{ topics: 'a' }, 'createProducer: topics: no such setting; did you mean "topic"?; allowed: via, topic'],
    [{ via: 'rabbit' }, 'createProducer: via: "rabbit" is not allowed; allowed: "kafka", "redis"'],
    [{ topic: 'a topic' }, 'createProducer: topic: "a topic" is no topic name'],
    [{ kafka: { brokers: [] } }, 'createProducer: kafka.brokers: '],
    [
      { redis: { url: 'http://x' } },
      'createProducer: redis.url: a string that begins otherwise is not allowed; allowed: ',
    ],
  ])('%j are refused', (settings, words) => {
    expect(() => producer(settings as ProducerSettings)).toThrow(words);
  });

  it('come from the environment where the call says nothing', () => {
    vi.stubEnv('SLUICE_VIA', 'pigeon');
    expect(() => createProducer({ proto: [PROTO] })).toThrow('via: "pigeon" is not allowed');
    vi.stubEnv('SLUICE_VIA', 'redis');
    vi.stubEnv('REDIS_URL', 'localhost');
    expect(() => createProducer({ proto: [PROTO] })).toThrow(
      'redis.url (REDIS_URL): a string without "://" is not allowed; allowed: an address',
    );
    expect(() => createProducer({ proto: [PROTO], via: 'kafka', redis: { url: NOWHERE } })).not.toThrow();
  });
});

it('takes nothing once it is closed, and may be closed twice', async () => {
  const closed = producer();
  await closed.close();
  await closed.close();
  await expect(closed.send(TYPE, { url: 'x' })).rejects.toMatchObject({ code: 'STOPPED' });
});
