/** The producer beside Ruby's own client: the same jobs are refused, and the others lie in Redis in the same form. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLog } from '../../src/log.ts';
import { createProducer, type SidekiqProducer } from '../../src/producer.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runRuby } from '../support/sidekiq.ts';

/** What a client has left in Redis. */
interface Left {
  readonly queues: readonly string[];
  readonly lists: Readonly<Record<string, readonly string[]>>;
  /** Members and scores. */
  readonly schedule: readonly (readonly [string, number])[];
}

/** A job for Ruby's `Sidekiq::Client.push` and the same for ours. */
type Pair = readonly [ruby: string, ours: object];

const SOON = Math.round(Date.now() / 1000) + 3_600;

/** Accepted by both; what JSON can say is said to both in the same words. */
const GOOD: readonly Pair[] = [
  ...[
    { class: 'HardJob', args: [] },
    { class: 'HardJob', args: ['bob', 5, 1.5, -3, true, null, [], {}, [[]], { a: { b: [1] } }, 'ü😀\n"\\', ''] },
    { class: 'Deeply::Nested::Job', args: [1], queue: 'critical' },
    { class: 'HardJob', args: [], queue: 'with.dots-and_more:1' },
    { class: 'HardJob', args: [], retry: false },
    { class: 'HardJob', args: [], retry: 0 },
    { class: 'HardJob', args: [], retry: 7, dead: false, backtrace: 20 },
    { class: 'HardJob', args: [], retry: true, backtrace: true, retry_queue: 'low' },
    { class: 'HardJob', args: [], tags: ['vip', 'eu'] },
    { class: 'HardJob', args: [], tags: null, jid: null },
    { class: 'HardJob', args: [], jid: 'ab12'.repeat(6) },
    { class: 'HardJob', args: [], bid: 'b-1', unique_for: 60, cattr: { user: 'gid://app/User/1' }, locale: 'de' },
    { class: 'HardJob', args: [], created_at: 1_600_000_000.25 },
    { class: 'HardJob', args: [1], at: SOON + 0.5 },
    { class: 'HardJob', args: [1], at: SOON, queue: 'critical', retry: 3 },
    { class: 'Wrapper', wrapped: 'WelcomeJob', args: [{ job_class: 'WelcomeJob', arguments: [1] }] },
  ].map((job): Pair => [`JSON.parse(${JSON.stringify(JSON.stringify(job))})`, job]),
  [
    `{"class" => "HardJob", "args" => [2**53 + 1, -(2**70)]}`,
    { class: 'HardJob', args: [2n ** 53n + 1n, -(2n ** 70n)] },
  ],
  [`{"class" => "HardJob", "args" => [1.0, 1e21]}`, { class: 'HardJob', args: [raw('1.0'), raw('1.0e+21')] }],
  [
    `{"class" => "HardJob", "args" => [], "at" => ${SOON}.25}`,
    { class: 'HardJob', args: [], at: new Date(SOON * 1000 + 250) },
  ],
];

/** Refused by both. */
const BAD: readonly Pair[] = [
  [`{"args" => []}`, { args: [] }],
  [`{"class" => nil, "args" => []}`, { class: null, args: [] }],
  [`{"class" => 7, "args" => []}`, { class: 7, args: [] }],
  [`{"class" => ["A"], "args" => []}`, { class: ['A'], args: [] }],
  [`{"class" => :HardJob, "args" => []}`, { class: Symbol('HardJob'), args: [] }],
  [`{"class" => String, "args" => []}`, { class: String, args: [] }],
  [`{"class" => "HardJob"}`, { class: 'HardJob' }],
  [`{"class" => "HardJob", "args" => nil}`, { class: 'HardJob', args: null }],
  [`{"class" => "HardJob", "args" => {"a" => 1}}`, { class: 'HardJob', args: { a: 1 } }],
  [`{"class" => "HardJob", "args" => "bob"}`, { class: 'HardJob', args: 'bob' }],
  [`{"class" => "HardJob", "args" => 1}`, { class: 'HardJob', args: 1 }],
  [`{"class" => "HardJob", "args" => [], "at" => "tomorrow"}`, { class: 'HardJob', args: [], at: 'tomorrow' }],
  [`{"class" => "HardJob", "args" => [], "at" => nil}`, { class: 'HardJob', args: [], at: null }],
  [`{"class" => "HardJob", "args" => [], "at" => [1]}`, { class: 'HardJob', args: [], at: [1] }],
  [`{"class" => "HardJob", "args" => [], "tags" => "vip"}`, { class: 'HardJob', args: [], tags: 'vip' }],
  [`{"class" => "HardJob", "args" => [], "tags" => {"a" => 1}}`, { class: 'HardJob', args: [], tags: { a: 1 } }],
  [`{"class" => "HardJob", "args" => [], "queue" => nil}`, { class: 'HardJob', args: [], queue: null }],
  [`{"class" => "HardJob", "args" => [], "queue" => ""}`, { class: 'HardJob', args: [], queue: '' }],
  [`{"class" => "HardJob", "args" => [:sym]}`, { class: 'HardJob', args: [Symbol('sym')] }],
  [`{"class" => "HardJob", "args" => [{a: 1}]}`, { class: 'HardJob', args: [{ [Symbol('a')]: 1 }] }],
  [`{"class" => "HardJob", "args" => [Time.now]}`, { class: 'HardJob', args: [new Date()] }],
  [`{"class" => "HardJob", "args" => [Object.new]}`, { class: 'HardJob', args: [new Map()] }],
  [`{"class" => "HardJob", "args" => [Struct.new(:a).new(1)]}`, { class: 'HardJob', args: [new (class Job {})()] }],
  [`{"class" => "HardJob", "args" => [Float::NAN]}`, { class: 'HardJob', args: [Number.NaN] }],
  [`{"class" => "HardJob", "args" => [-Float::INFINITY]}`, { class: 'HardJob', args: [Number.NEGATIVE_INFINITY] }],
  [`{"class" => "HardJob", "args" => [proc {}]}`, { class: 'HardJob', args: [() => undefined] }],
  [`{"class" => "HardJob", "args" => ["\\xff"]}`, { class: 'HardJob', args: ['\ud800'] }],
  [
    `{"class" => "HardJob", "args" => [102.times.reduce([]) { |list, _| [list] }]}`,
    { class: 'HardJob', args: [nested(102)] },
  ],
];

/** Ruby's client lets them pass, and what comes of them is never what was meant. */
const REFUSED_BY_OURS: readonly Pair[] = [
  [`{"class" => "", "args" => []}`, { class: '', args: [] }],
  [`{"class" => "HardJob", "args" => [], "queue" => "a b"}`, { class: 'HardJob', args: [], queue: 'a b' }],
  [`{"class" => "HardJob", "args" => [], "queue" => 7}`, { class: 'HardJob', args: [], queue: 7 }],
  [`{"class" => "HardJob", "args" => [], "retry" => "often"}`, { class: 'HardJob', args: [], retry: 'often' }],
  [`{"class" => "HardJob", "args" => [], "retry" => -1}`, { class: 'HardJob', args: [], retry: -1 }],
  [`{"class" => "HardJob", "args" => [], "jid" => 5}`, { class: 'HardJob', args: [], jid: 5 }],
  [`{"class" => "HardJob", "args" => [], "created_at" => "now"}`, { class: 'HardJob', args: [], created_at: 'now' }],
  [
    `{"class" => "HardJob", "args" => [], "at" => 1700000000000}`,
    { class: 'HardJob', args: [], at: 1_700_000_000_000 },
  ],
  [`{"class" => "HardJob", "args" => [], "at" => -1}`, { class: 'HardJob', args: [], at: -1 }],
];

let redis: TestRedis;
let connection: Redis;
let sidekiq: SidekiqProducer;
let urlOfRuby: string;

beforeAll(async () => {
  redis = await startRedis();
  urlOfRuby = `${redis.url.replace(/\/\d*$/, '')}/1`;
  connection = connect('test', redis, 'command', silentLog);
  sidekiq = createProducer({ target: 'sidekiq', via: 'redis', redis: { url: redis.url } });
});

afterAll(async () => {
  await sidekiq.close();
  await disconnect(connection);
  await redis.stop();
});

function raw(text: string): unknown {
  return (JSON as typeof JSON & { rawJSON(of: string): unknown }).rawJSON(text);
}

function nested(levels: number): unknown {
  return levels === 0 ? [] : [nested(levels - 1)];
}

/** What Ruby's client leaves of each job, or null where it refuses. */
function byRuby(pairs: readonly Pair[]): Promise<(Left | null)[]> {
  const jobs = pairs.map(([ruby]) => `-> { ${ruby} }`).join(',\n');
  return runRuby(
    { url: urlOfRuby },
    `
    Sidekiq.strict_args!
    [${jobs}].map do |job|
      Sidekiq.redis do |redis|
        redis.flushdb
        Sidekiq::Client.push(job.call)
        queues = redis.smembers("queues")
        {queues: queues, schedule: redis.zrange("schedule", 0, -1, withscores: true),
         lists: redis.keys("queue:*").to_h { |key| [key, redis.lrange(key, 0, -1)] }}
      rescue ArgumentError, JSON::JSONError
        nil
      end
    end`,
  );
}

async function byOurs([, job]: Pair): Promise<Left | null> {
  await connection.flushdb();
  try {
    await sidekiq.performMany([job as never]);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_MESSAGE' });
    return null;
  }
  return left();
}

async function left(): Promise<Left> {
  const [queues, keys, scored] = await Promise.all([
    connection.smembers('queues'),
    connection.keys('queue:*'),
    connection.zrange('schedule', '0', '-1', 'WITHSCORES'),
  ]);
  const lists = await Promise.all(keys.map(async (key) => [key, await connection.lrange(key, 0, -1)] as const));
  const schedule = scored.flatMap((member, i) => (i % 2 === 0 ? [[member, Number(scored[i + 1])] as const] : []));
  return { queues, lists: Object.fromEntries(lists), schedule };
}

/** A job's text without what differs from call to call, and the form of that. Members have no order. */
function formOf(text: string): object {
  const { jid, created_at, enqueued_at, args, ...rest } = JSON.parse(text) as Record<string, unknown>;
  return {
    ...rest,
    // The spelling, which JavaScript's values have not: `1.0` and digits beyond 2**53.
    args: /"args":(\[.*?\])(?:,"\w+":|\}$)/.exec(text)?.[1] ?? args,
    jid: /^[0-9a-f]{24}$/.test(jid as string) ? (jid as string).length : jid,
    created_at: timeOf('created_at', text, created_at),
    enqueued_at: timeOf('enqueued_at', text, enqueued_at),
  };
}

/** Seconds with a fraction, about now. */
function timeOf(name: string, text: string, value: unknown): unknown {
  if (typeof value !== 'number' || Math.abs(value - Date.now() / 1000) > 60) return value;
  return new RegExp(`"${name}":\\d{10}\\.\\d+[,}]`).test(text) ? 'now' : 'now, but written otherwise';
}

function formsOf({ queues, lists, schedule }: Left): object {
  return {
    queues,
    lists: Object.fromEntries(Object.entries(lists).map(([key, texts]) => [key, texts.map(formOf)])),
    schedule: schedule.map(([text, score]) => [formOf(text), score]),
  };
}

it('leaves in Redis what Ruby leaves', async () => {
  const theirs = await byRuby(GOOD);
  for (const [i, pair] of GOOD.entries()) {
    const [their, our] = [theirs[i], await byOurs(pair)];
    expect(their, `Ruby of ${pair[0]}`).not.toBeNull();
    expect(our, pair[0]).not.toBeNull();
    expect(formsOf(our as Left), pair[0]).toEqual(formsOf(their as Left));
  }
});

it('refuses what Ruby refuses', async () => {
  const theirs = await byRuby(BAD);
  for (const [i, pair] of BAD.entries()) {
    expect(theirs[i], `Ruby of ${pair[0]}`).toBeNull();
    expect(await byOurs(pair), pair[0]).toBeNull();
  }
});

it('refuses what Ruby stumbles over later', async () => {
  const theirs = await byRuby(REFUSED_BY_OURS);
  for (const [i, pair] of REFUSED_BY_OURS.entries()) {
    expect(theirs[i], `Ruby of ${pair[0]}`).not.toBeNull();
    expect(await byOurs(pair), pair[0]).toBeNull();
  }
});
