import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { defineSidekiqWorker } from '../../src/definition/sidekiq-worker.ts';
import type { Outcome, WorkerContext } from '../../src/definition/worker.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { describeHost, type HostUnderTest, type View } from '../conformance/host.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { startSidekiqHost } from '../support/sidekiq-host.ts';

const TYPE = 'acme.web.v1.PageView';
const DOOMED = fileURLToPath(new URL('./fixtures/sidekiq-process.ts', import.meta.url));
const SOON = { timeout: 15_000, interval: 20 };

let server: TestRedis;
let redis: Redis;
let attempts: number | undefined;
let added = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('main', server, 'command', silentLog);
});

beforeEach(async () => {
  await redis.flushall();
  attempts = undefined;
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

/** Finds a job by its jid, in one piece: it may be moving. */
const FIND = `
local function found(place, texts)
  for _, text in ipairs(texts) do if string.find(text, ARGV[1], 1, true) then return { place, text } end end
end
local function everywhere()
  for _, set in ipairs({ 'dead', 'retry', 'schedule' }) do
    local here = found(set, redis.call('ZRANGE', set, 0, -1))
    if here then return here end
  end
  for _, list in ipairs({ 'queue:default', unpack(redis.call('SMEMBERS', 'sluice:sidekiq:private')) }) do
    local here = found(list, redis.call('LRANGE', list, 0, -1))
    if here then return here end
  end
end
return everywhere() or {}`;

const COUNT = `return redis.call('SET', 'sluice:sidekiq:recoveries:' .. redis.sha1hex(ARGV[1]), ARGV[2])`;

/** Where in Redis the job is. */
async function placeOf(jid: string): Promise<{ place: string; text: string } | undefined> {
  const [place, text] = (await redis.eval(FIND, 0, jid)) as [string?, string?];
  return place === undefined || text === undefined ? undefined : { place, text };
}

const under: HostUnderTest & { addDeathsOf(text: string, deaths: number): Promise<unknown> } = {
  start({ attempts: most, ...options }) {
    attempts = most;
    return startSidekiqHost(redis, [defineSidekiqWorker<View>(TYPE, { ...options, sidekiq: 'Hold' })]);
  },

  async add(_name, data, options: { attempts?: number } = {}) {
    const { attempts: own = attempts } = options;
    added += 1;
    const jid = `jid-${added}-`;
    const job = { class: 'Hold', args: [data], jid, retry: own === undefined ? true : own - 1, backtrace: true };
    await redis.lpush('queue:default', JSON.stringify(job));
    return jid;
  },

  async see(jid) {
    const found = await placeOf(jid);
    if (found === undefined) return undefined;
    const job = JSON.parse(found.text) as Record<string, string>;
    const backtrace = job.error_backtrace && inflateSync(Buffer.from(job.error_backtrace, 'base64')).toString();
    const state = found.place === 'dead' ? 'failed' : found.place;
    return { state, reason: job.error_message ?? '', stack: backtrace ?? '' };
  },

  async loseLock(jid) {
    const { place = '', text = '' } = (await placeOf(jid)) ?? {};
    await redis.lrem(place, 1, text);
  },

  async addDeaths(jid, deaths) {
    const { text = '' } = (await placeOf(jid)) ?? {};
    await under.addDeathsOf(text, deaths);
  },

  addDeathsOf: (text: string, deaths: number) => redis.eval(COUNT, 0, text, String(deaths)),

  async startDoomed() {
    const child = spawn(process.execPath, ['--conditions=sluice-source', DOOMED, server.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    return { kill: () => void child.kill('SIGKILL') };
  },
};

describe('the Sidekiq host', () => {
  describeHost(() => under);

  type Run = (args: readonly unknown[], ctx: WorkerContext) => Outcome | void | Promise<Outcome | void>;

  function worker(run: Run, more: { queue?: string; sidekiq?: string } = {}) {
    return defineSidekiqWorker<readonly unknown[]>(undefined, { sidekiq: 'Hold', run, ...more });
  }

  const held = () => redis.smembers('sluice:sidekiq:private');
  const ARGS = '[1.0, 9007199254740993, [], {}, "za\\u017c"]';

  it('leaves the arguments as they are spelled, through a retry, the poller, a snooze and the end', async () => {
    const seen: unknown[] = [];
    await startSidekiqHost(redis, [
      worker((args, { attempt }) => {
        seen.push(args);
        if (seen.length === 1) return { kind: 'retry', reason: 'once', afterMs: 1 };
        if (seen.length === 2) return { kind: 'snooze', afterMs: 1 };
        return { kind: 'dead', reason: `attempt ${attempt}` };
      }),
    ]);
    await redis.lpush('queue:default', ` { "class" : "Hold", "args" : ${ARGS}, "retry":true, "my": 1.50 } `);
    await vi.waitFor(async () => expect(await redis.zcard('dead')).toBe(1), SOON);
    const [text = ''] = await redis.zrange('dead', '0', '0');
    expect(text).toContain(`"args":${ARGS},"retry":true,"my":1.50`);
    expect(JSON.parse(text)).toMatchObject({ error_message: 'attempt 2', retry_count: 1 });
    expect(seen).toEqual(Array(3).fill([1, 9007199254740993n, [], {}, 'zaż']));
  });

  it('puts what is no job into the dead set, to the byte', async () => {
    const bad = [Buffer.from([0x7b, 0xff, 0x00]), Buffer.from('{"class":'), Buffer.from('[1]')];
    await redis.lpush('queue:default', ...bad);
    await startSidekiqHost(redis, [worker(() => undefined)]);
    await vi.waitFor(async () => expect(await redis.zcard('dead')).toBe(3), SOON);
    const dead = await redis.zrangeBuffer('dead', '0', '-1');
    for (const each of bad) expect(dead.some((found) => found.equals(each))).toBe(true);
    expect(await redis.get('stat:processed')).toBeNull();
  });

  it('gives back the bytes, the oldest first, and leaves no trace of itself', async () => {
    const started: unknown[] = [];
    const host = await startSidekiqHost(redis, [
      worker(([n]) => {
        started.push(n);
        return new Promise(() => undefined);
      }),
    ]);
    const texts = [1, 2, 3, 4, 5, 6, 7].map((n) => `{"class":"Hold", "args":[${n}], "n":1.0}`);
    await redis.lpush('queue:default', ...texts);
    await vi.waitFor(() => expect(started).toHaveLength(5), SOON);
    await host.stop(20);
    const left = await redis.lrange('queue:default', 0, -1);
    expect([...left].sort()).toEqual(texts);
    expect(left.slice(0, 2)).toEqual([texts[6], texts[5]]);
    expect(await redis.smembers('queues')).toEqual(['default']);
    expect(await redis.keys('*:*:*')).toEqual(['sluice:sidekiq:private']);
    expect(await redis.scard('processes')).toBe(0);
    expect(await redis.get('stat:processed')).toBeNull();
  });

  it('does nothing to a job that was taken from it', async () => {
    const go = Promise.withResolvers<void>();
    const host = await startSidekiqHost(redis, [worker(() => go.promise)]);
    const jid = await under.add('', {});
    await vi.waitFor(async () => expect((await placeOf(jid))?.place).toMatch(/^work:/), SOON);
    await under.loseLock(jid);
    await redis.lpush('queue:elsewhere', 'its bytes');
    go.resolve();
    await vi.waitFor(() => expect(host.busy).toBe(0), SOON);
    expect(await redis.mget('stat:processed', 'stat:failed')).toEqual([null, null]);
    expect(await redis.zcard('retry')).toBe(0);
  });

  it('puts back what it holds by the account of Redis alone, and runs it', async () => {
    const runs: unknown[] = [];
    await startSidekiqHost(redis, [worker(([n]) => void runs.push(n))]);
    await vi.waitFor(async () => expect(await redis.scard('processes')).toBe(1), SOON);
    const [identity = ''] = await redis.smembers('processes');
    // As if the reply to a taking had been lost.
    await redis.lpush(`work:default:${identity}`, '{"class":"Hold","args":[7]}');
    await vi.waitFor(() => expect(runs).toEqual([7]), SOON);
    expect(await redis.llen(`work:default:${identity}`)).toBe(0);
  });

  it('puts back what dead hosts held, and buries what three have died of', async () => {
    const runs: unknown[] = [];
    const orphan = (n: number) => `{"class":"Hold","args":[${n}],"retry":false}`;
    const lists = ['work:default:gone:1:abc', 'work:de:fault:gone:2:abc'];
    await redis.sadd('sluice:sidekiq:private', ...lists, 'work:default:gone:3:abc');
    await redis.lpush(lists[0] as string, orphan(1), orphan(2));
    await redis.lpush(lists[1] as string, orphan(3));
    await under.addDeathsOf(orphan(2), 3);
    await startSidekiqHost(redis, [worker(([n]) => void runs.push(n))]);
    await vi.waitFor(async () => expect(await redis.zcard('dead')).toBe(1), SOON);
    await vi.waitFor(() => expect(runs).toEqual([1]), SOON);
    expect(await redis.lrange('queue:de:fault', 0, -1)).toEqual([orphan(3)]);
    expect(JSON.parse((await redis.zrange('dead', '0', '0'))[0] as string)).toMatchObject({
      args: [2],
      error_class: 'Sluice::HostDied',
      failed_at: expect.any(Number),
    });
    await vi.waitFor(async () => expect((await held()).every((name) => !name.includes('gone'))).toBe(true), SOON);
  });

  it('loses no job to a key of another kind', async () => {
    await redis.mset('retry', 'x', 'dead', 'x', 'queues', 'x', 'stat:processed', 'x', 'queue:odd', 'x');
    await redis.zadd('schedule', '1', '{"class":"Hold","args":["scheduled"],"queue":"odd"}');
    await redis.sadd('sluice:sidekiq:private', 'work:odd:gone:1:abc', 'work:default:gone:1:abc');
    await redis.lpush('work:odd:gone:1:abc', '{"class":"Hold","args":["odd"]}');
    await redis.lpush('work:default:gone:1:abc', '{"class":"Hold","args":["orphan"]}');
    await redis.lpush('queue:default', ...['done', 'fails', 'dies'].map((arg) => `{"class":"Hold","args":["${arg}"]}`));
    const ran: unknown[] = [];
    await startSidekiqHost(redis, [
      worker(([arg]) => {
        ran.push(arg);
        if (arg === 'fails') throw new Error('no');
        if (arg === 'dies') return { kind: 'dead', reason: 'never' };
      }),
    ]);
    await vi.waitFor(() => expect([...ran].sort()).toEqual(['dies', 'done', 'fails', 'orphan']), SOON);
    await redis.del('retry', 'dead');
    await vi.waitFor(async () => expect(await redis.zcard('retry')).toBe(1), SOON);
    await vi.waitFor(async () => expect(await redis.zcard('dead')).toBe(2), SOON);
    const dead = (await redis.zrange('dead', '0', '-1')).map((text) => (JSON.parse(text) as { args: unknown }).args);
    expect(dead.flat().sort()).toEqual(['dies', 'scheduled']);
    expect(ran).toHaveLength(4);
    expect(await redis.llen('work:odd:gone:1:abc')).toBe(1);
  });

  it('does not tell all of a large job with every beat', async () => {
    const args = ['x'.repeat(500_000)];
    await redis.lpush('queue:default', JSON.stringify({ class: 'Hold', args, jid: 'large' }));
    await startSidekiqHost(redis, [worker(() => new Promise(() => undefined))]);
    await vi.waitFor(async () => expect(await redis.scard('processes')).toBe(1), SOON);
    const [identity = ''] = await redis.smembers('processes');
    const told = () => redis.hvals(`${identity}:work`);
    await vi.waitFor(async () => expect(await told()).toHaveLength(1), SOON);
    const { payload } = JSON.parse((await told())[0] as string) as { payload: string };
    expect(JSON.parse(payload)).toMatchObject({
      class: 'Hold',
      jid: 'large',
      args: [expect.stringMatching(/ bytes$/)],
    });
  });

  it('serves several queues with one concurrency', async () => {
    const seen = { busy: 0, most: 0, done: 0 };
    const run = async () => {
      seen.busy += 1;
      seen.most = Math.max(seen.most, seen.busy);
      await systemClock.sleep(30);
      seen.busy -= 1;
      seen.done += 1;
    };
    await redis.lpush('queue:a', ...Array<string>(20).fill('{"class":"A","args":[]}'));
    await redis.lpush('queue:b', ...Array<string>(20).fill('{"class":"B","args":[]}'));
    const workers = [worker(run, { sidekiq: 'A', queue: 'a' }), worker(run, { sidekiq: 'B', queue: 'b' })];
    await startSidekiqHost(redis, workers, { concurrency: 3 });
    await vi.waitFor(() => expect(seen).toEqual({ busy: 0, most: 3, done: 40 }), SOON);
    expect(await redis.get('stat:processed')).toBe('40');
  });

  it('lets go of a job that another host took while it was not seen alive', async () => {
    const lost = Promise.withResolvers<unknown>();
    let runs = 0;
    const run: Run = (_args, { signal }) => {
      runs += 1;
      if (runs > 1) return undefined;
      signal.addEventListener('abort', () => lost.resolve(signal.reason));
      return new Promise(() => undefined);
    };
    const first = await startSidekiqHost(redis, [worker(run)]);
    const jid = await under.add('', {});
    await vi.waitFor(async () => expect((await placeOf(jid))?.place).toMatch(/^work:/), SOON);
    // Only a host that is quiet leaves the job to the other.
    const [identity = ''] = await redis.smembers('processes');
    await redis.lpush(`${identity}-signals`, 'TSTP');
    await vi.waitFor(async () => expect(await redis.hget(identity, 'quiet')).toBe('true'), SOON);
    await redis.del(`sluice:sidekiq:alive:${identity}`);
    await startSidekiqHost(redis, [worker(run)]);
    await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('1'), SOON);
    expect(await lost.promise).toMatchObject({ message: expect.stringContaining('the lock was lost') });
    await vi.waitFor(() => expect(first.busy).toBe(0), SOON);
    expect(await placeOf(jid)).toBeUndefined();
    expect(await redis.mget('stat:processed', 'stat:failed')).toEqual(['1', null]);
  });

  it('runs every job once while its connection is cut over and over', async () => {
    const MANY = 600;
    const runs = new Map<unknown, number>();
    await startSidekiqHost(redis, [
      worker(async ([n]) => {
        runs.set(n, (runs.get(n) ?? 0) + 1);
        await systemClock.sleep(5);
      }),
    ]);
    const jobs = Array.from({ length: MANY }, (_, n) => `{"class":"Hold","args":[${n}]}`);
    const other = connect('main', server, 'command', silentLog);
    await other.lpush('queue:default', ...jobs);
    // Often enough for every step to be cut, and not for ever: a slow machine gets little done between two cuts.
    let cuts = 0;
    await vi.waitFor(
      async () => {
        if (cuts < 80) await other.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        cuts += 1;
        expect(await other.get('stat:processed')).toBe(String(MANY));
      },
      { timeout: 40_000, interval: 150 },
    );
    expect(runs.size).toBe(MANY);
    expect([...runs.values()].filter((times) => times !== 1)).toEqual([]);
    await vi.waitFor(async () => expect(await redis.keys('work:*')).toEqual([]), SOON);
    await disconnect(other);
  });

  it('writes what became of a job once Redis is back', async () => {
    const go = Promise.withResolvers<void>();
    const warn = vi.fn();
    await startSidekiqHost(redis, [worker(() => go.promise)], { warn });
    const jid = await under.add('', {});
    await vi.waitFor(async () => expect((await placeOf(jid))?.place).toMatch(/^work:/), SOON);
    server.pause();
    go.resolve();
    await vi.waitFor(() => expect(warn).toHaveBeenCalledTimes(1), SOON);
    server.resume();
    await vi.waitFor(async () => expect(await placeOf(jid)).toBeUndefined(), SOON);
    expect(await redis.get('stat:processed')).toBe('1');
  });

  it('takes, finishes and keeps jobs to be tried again while Redis is full', async () => {
    await redis.lpush('queue:default', '{"class":"Hold","args":[0]}', '{"class":"Hold","args":[1]}');
    await redis.config('SET', 'maxmemory', '1');
    await startSidekiqHost(redis, [
      worker(([n]) => {
        if (n === 1) throw new Error('no');
      }),
    ]);
    try {
      await vi.waitFor(async () => expect(await redis.get('stat:processed')).toBe('2'), SOON);
      expect(await redis.zcard('retry')).toBe(1);
      expect(await redis.scard('processes')).toBe(1);
    } finally {
      await redis.config('SET', 'maxmemory', '0');
    }
  });
});
