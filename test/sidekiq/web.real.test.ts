/**
 * Sidekiq's own Web shows every page of a Sidekiq that Sluice feeds, with a Ruby process and one of Sluice's hosts at work,
 * and its buttons do what they say.
 */
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
  running: { class: 'WaitFor', queue: 'ruby', args: ['go'] },
  failed: { class: 'Fail', queue: 'ruby', args: [1, 'again'], tags: ['from-kafka'] },
  dead: { class: 'Fail', queue: 'ruby', args: [9, '<script>'], retry: 0, backtrace: 5 },
  node: { class: 'Noted', args: [42] },
  unknown: { class: 'Nowhere::Defined', args: [{ text: '"quoted"' }], backtrace: true },
  scheduled: { class: 'Note', queue: 'ruby', args: ['soon'], at: Math.floor(Date.now() / 1000) + 10 * MINUTES },
};

let server: TestRedis;
let topic: TestTopic;
let records: RecordProducer;
let redis: Redis;
let bridge: Running;
let node: Running;
let ruby: Sidekiq;
let web: Awaited<ReturnType<typeof startSidekiqWeb>>;

beforeAll(async () => {
  [server, topic] = await Promise.all([startRedis(), makeTopic(1)]);
  records = createRecordProducer(topic.kafka, silentLog);
  redis = connect('test', server, 'command', silentLog);
  const topics = { [topic.topic]: { target: 'sidekiq', record: 'sidekiq', settle: 'acknowledged' } };
  const env = sluiceEnv(topic, server, 'sidekiq-workers', topics);
  bridge = runSluice(['bridge'], { env });
  node = runSluice(['work'], { env: { ...env, TEST_TAKES_MS: '600000' } });
  const installed = `require "${ROOT}ruby/sluice_sidekiq"; Sidekiq.configure_server { |c| Sluice::Sidekiq.install(c) }`;
  [ruby, web] = await Promise.all([
    startSidekiq(server, { queues: ['ruby'], code: installed }),
    startSidekiqWeb(server),
  ]);
  await records.send(
    topic.topic,
    Object.entries(JOBS).map(([name, job]) => ({
      key: name,
      value: Buffer.from(JSON.stringify({ jid: jidOf(name), retry: true, ...job })),
    })),
  );
  await vi.waitFor(async () => {
    const sets = ['retry', 'dead', 'schedule'].map((set) => redis.zcard(set));
    expect(await Promise.all([...sets, redis.llen('queue:later')])).toEqual([2, 1, 1, 1]);
  }, SOON);
  // By the first of its names 6.4 reads it, by the second later ones.
  const works = async () => {
    const identities = await redis.smembers('processes');
    const each = identities.map((identity) => redis.exists(`${identity}:workers`, `${identity}:work`));
    return (await Promise.all(each)).filter((keys) => keys > 0).length;
  };
  await vi.waitFor(async () => expect(await works()).toBe(2), SOON);
});

afterAll(async () => {
  await Promise.all([bridge.kill('SIGTERM'), node.kill('SIGKILL'), ruby.kill(), web.stop(), records.stop(1_000)]);
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
async function linkIn(list: string, name: keyof typeof JOBS): Promise<string> {
  const [key] = (await page(`/${list}`)).match(new RegExp(`[0-9.]+-${jidOf(name)}`)) ?? [];
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
    ['/busy', [':RUBY:', 'WaitFor', jidOf('running'), '&quot;go&quot;']],
    ['/busy', [':NODE:', 'Noted', jidOf('node'), '42', 'sluice']],
    ['/queues', ['later', 'ruby', 'default']],
    ['/queues/later', ['Note', 'zażółć &lt;b&gt; 🦊', '{&quot;a&quot;=&gt;[]}']],
    ['/retries', ['Fail', '&quot;again&quot;', 'from-kafka', 'told to fail']],
    ['/retries', ['Nowhere::Defined', '{&quot;text&quot;=&gt;&quot;\\&quot;quoted\\&quot;&quot;}']],
    ['/scheduled', ['Note', '&quot;soon&quot;']],
    ['/morgue', ['Fail', '&lt;script&gt;', 'ArgumentError: told to fail']],
  ])('%s', async (path, texts) => {
    const body = await page(path);
    for (const text of texts)
      expect(body).toContain(text.replace('RUBY', String(ruby.pid)).replace('NODE', String(node.pid)));
  });

  it.each([
    ['retries', 'failed', [jidOf('failed'), 'told to fail']],
    ['retries', 'unknown', [jidOf('unknown'), 'Nowhere::Defined', 'Error Backtrace']],
    ['scheduled', 'scheduled', [jidOf('scheduled')]],
    ['morgue', 'dead', [jidOf('dead'), 'told to fail', 'jobs.rb']],
  ] as const)('/%s/:key of the job %s', async (list, name, texts) => {
    const body = await page(await linkIn(list, name));
    for (const text of texts) expect(body).toContain(text);
  });

  it('counts as JSON', async () => {
    const { sidekiq } = JSON.parse(await page('/stats')) as { sidekiq: Record<string, number> };
    expect(sidekiq).toMatchObject({ busy: 2, processes: 2, enqueued: 1, scheduled: 1, retries: 2, dead: 1 });
    expect(JSON.parse(await page('/stats/queues'))).toEqual({ later: 1, ruby: 0, default: 0 });
  });
});

describe('does', () => {
  it('retry a job, which is finished for the bridge when it has run', async () => {
    expect(await press(await linkIn('retries', 'failed'), 'retry')).toBe(302);
    await vi.waitFor(() => expect(ruby.runs('ended').map(({ jid }) => jid)).toContain(jidOf('failed')), SOON);
  });

  it('run a scheduled job at once', async () => {
    expect(await press(await linkIn('scheduled', 'scheduled'), 'add_to_queue')).toBe(302);
    await vi.waitFor(() => expect(ruby.runs('ended').map(({ jid }) => jid)).toContain(jidOf('scheduled')), SOON);
  });

  it('leave a job alone that is finished: the dead one has its letter, and may run again', async () => {
    await expect.poll(() => topic.size(`${topic.topic}.dlq`), SOON).toBe(1);
    expect(await press(await linkIn('morgue', 'dead'), 'retry')).toBe(302);
    await vi.waitFor(async () => {
      expect(ruby.runs('failed').filter(({ jid }) => jid === jidOf('dead'))).toHaveLength(2);
      expect(await redis.zcard('dead')).toBe(1);
    }, SOON);
    expect(await topic.size(`${topic.topic}.dlq`)).toBe(1);
  });
});
