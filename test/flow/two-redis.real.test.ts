/** One topic whose queues lie on two Redis: every batch advances both ledgers, and one that is lost rewinds alone. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runSluice } from '../support/sluice.ts';

const RECORDS = 2_000;
const SOON = { timeout: 30_000, interval: 100 };

let main: TestRedis;
let second: TestRedis;
let topic: TestTopic;
let readers: Redis[];

beforeAll(async () => {
  [main, second, topic] = await Promise.all([startRedis(), startRedis(), makeTopic(2)]);
  readers = [main, second].map((server) => connect('test', server, 'command', silentLog));
});

afterAll(async () => {
  await Promise.all(readers.map(disconnect));
  await topic.stop();
  await Promise.all([main.stop(), second.stop()]);
});

it('places each job, commits only what both have finished, and rewinds for the one that lost', async () => {
  const env = {
    ...sluiceEnv(topic, main, 'idle-workers'),
    SLUICE_REDIS__SECOND__URL: second.url,
    SLUICE_QUEUES: JSON.stringify({ counted: { redis: 'main' }, other: { redis: 'second' } }),
  };
  const bridge = runSluice(['bridge'], { env });
  const events = views(RECORDS).map((view, i) =>
    i % 2 === 0 ? { ...view, queue: 'other' } : { ...view, queue: 'counted' },
  );
  await topic.producer.sendMany(events);
  const waiting = () => Promise.all([readers[0]?.llen('bull:counted:wait'), readers[1]?.llen('bull:other:wait')]);
  await vi.waitFor(async () => expect(await waiting()).toEqual([RECORDS / 2, RECORDS / 2]), SOON);
  await readers[1]?.flushall();
  await vi.waitFor(async () => expect(await waiting()).toEqual([RECORDS / 2, RECORDS / 2]), SOON);
  const work = runSluice(['work'], { env });
  await vi.waitFor(async () => expect(await topic.lag()).toBe(0), SOON);
  expect(await readers[0]?.get('bull:counted:id')).toBe(String(RECORDS / 2));
  expect(await work.kill('SIGTERM')).toBe(0);
  expect(await bridge.kill('SIGTERM')).toBe(0);
});
