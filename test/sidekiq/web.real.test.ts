/** Sidekiq's own Web shows every page of a Sidekiq that Sluice feeds, and its buttons do what they say. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RecordProducer } from '../../src/kafka/consumer.ts';
import { createRecordProducer } from '../../src/kafka/record-producer.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Sidekiq, startSidekiq, startSidekiqWeb } from '../support/sidekiq.ts';
import { ROOT, type Running, runSluice } from '../support/sluice.ts';

const SOON = { timeout: 30_000, interval: 100 };
const MINUTES = 60;
const jidOf = (name: string) => Buffer.from(name.padEnd(12)).toString('hex');

const JOBS = {
  waiting: { class: 'Note', queue: 'later', args: ['zażółć <b> 🦊', 1, { a: [] }] },
  running: { class: 'WaitFor', args: ['go'] },
  failed: { class: 'Fail', args: [1, 'again'], tags: ['from-kafka'] },
  dead: { class: 'Fail', args: [9, '<script>'], retry: 0, backtrace: 5 },
  scheduled: { class: 'Note', args: ['soon'], at: Math.floor(Date.now() / 1000) + 10 * MINUTES },
};

let server: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let redis: Redis;
let bridge: Running;
let ruby: Sidekiq;
let web: Awaited<ReturnType<typeof startSidekiqWeb>>;

beforeAll(async () => {
  [server, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  records = createRecordProducer(topic.kafka, silentLog);
  redis = connect('test', server, 'command', silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' } };
  bridge = runSluice(['bridge'], { env: sluiceEnv(topic, server, 'idle-workers', topics) });
  const installed = `require "${ROOT}ruby/sluice_sidekiq"; Sidekiq.configure_server { |c| Sluice::Sidekiq.install(c) }`;
  [ruby, web] = await Promise.all([startSidekiq(server, { code: installed }), startSidekiqWeb(server)]);
  await records.send(
    topic.topic,
    Object.entries(JOBS).map(([name, job]) => ({
      key: name,
      value: Buffer.from(JSON.stringify({ jid: jidOf(name), retry: true, ...job })),
    })),
  );
  await vi.waitFor(async () => {
    const sets = ['retry', 'dead', 'schedule'].map((set) => redis.zcard(set));
    expect(await Promise.all([...sets, redis.llen('queue:later')])).toEqual([1, 1, 1, 1]);
  }, SOON);
  const [identity = ''] = await redis.smembers('processes');
  // 6.4 writes it by one name, later ones by another.
  const running = () => redis.exists(`${identity}:workers`, `${identity}:work`);
  await vi.waitFor(async () => expect(await running()).toBe(1), SOON);
});

afterAll(async () => {
  await Promise.all([bridge.kill('SIGTERM'), ruby.kill(), web.stop(), records.stop(1_000)]);
  await disconnect(redis);
  await topic.stop();
  await server.stop();
});

async function page(path: string): Promise<string> {
  const response = await fetch(`${web.url}${path}`);
  expect(response.status, path).toBe(200);
  return response.text();
}

/** Where the page of a job is, as the list links to it. */
async function linkIn(list: string): Promise<string> {
  const [, key] = new RegExp(`href="/?${list}/([^"]+)"`).exec(await page(`/${list}`)) ?? [];
  expect(key, `a job in /${list}`).toBeDefined();
  return `/${list}/${key}`;
}

/** Presses a button of the page's forms, with the token that the page came with. */
async function press(path: string, button: string): Promise<number> {
  const shown = await fetch(`${web.url}${path}`);
  const token = /name='authenticity_token' value='([^']+)'/.exec(await shown.text())?.[1] ?? '';
  const cookie = shown.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ');
  const body = new URLSearchParams({ authenticity_token: token, [button]: '1' });
  return (await fetch(`${web.url}${path}`, { method: 'POST', body, headers: { cookie }, redirect: 'manual' })).status;
}

describe('shows', () => {
  it.each([
    ['/', ['Dashboard', 'Redis']],
    ['/busy', ['PROCESS', 'WaitFor', jidOf('running'), '&quot;go&quot;']],
    ['/queues', ['later', 'default']],
    ['/queues/later', ['Note', 'zażółć &lt;b&gt; 🦊', '{&quot;a&quot;=&gt;[]}']],
    ['/retries', ['Fail', '&quot;again&quot;', 'from-kafka', 'told to fail']],
    ['/scheduled', ['Note', '&quot;soon&quot;']],
    ['/morgue', ['Fail', '&lt;script&gt;', 'ArgumentError: told to fail']],
  ])('%s', async (path, texts) => {
    const body = await page(path);
    for (const text of texts) expect(body).toContain(text.replace('PROCESS', `:${ruby.pid}`));
  });

  it.each([
    ['retries', [jidOf('failed'), 'told to fail']],
    ['scheduled', [jidOf('scheduled')]],
    ['morgue', [jidOf('dead'), 'told to fail', 'jobs.rb']],
  ])('/%s/:key', async (list, texts) => {
    const body = await page(await linkIn(list));
    for (const text of texts) expect(body).toContain(text);
  });

  it('counts as JSON', async () => {
    const { sidekiq } = JSON.parse(await page('/stats')) as { sidekiq: Record<string, number> };
    expect(sidekiq).toMatchObject({ busy: 1, processes: 1, enqueued: 1, scheduled: 1, retries: 1, dead: 1 });
    expect(JSON.parse(await page('/stats/queues'))).toEqual({ later: 1, default: 0 });
  });
});

describe('does', () => {
  it('retry a job, which is finished for the bridge when it has run', async () => {
    expect(await press(await linkIn('retries'), 'retry')).toBe(302);
    await vi.waitFor(() => expect(ruby.runs('ended').map(({ jid }) => jid)).toContain(jidOf('failed')), SOON);
  });

  it('run a scheduled job at once', async () => {
    expect(await press(await linkIn('scheduled'), 'add_to_queue')).toBe(302);
    await vi.waitFor(() => expect(ruby.runs('ended').map(({ jid }) => jid)).toContain(jidOf('scheduled')), SOON);
  });

  it('leave a job alone that is finished: the dead one has its letter, and may run again', async () => {
    await expect.poll(() => topic.size(`${topic.topic}.dlq`), SOON).toBe(1);
    expect(await press(await linkIn('morgue'), 'retry')).toBe(302);
    await vi.waitFor(async () => {
      expect(ruby.runs('failed').filter(({ jid }) => jid === jidOf('dead'))).toHaveLength(2);
      expect(await redis.zcard('dead')).toBe(1);
    }, SOON);
    expect(await topic.size(`${topic.topic}.dlq`)).toBe(1);
  });
});
