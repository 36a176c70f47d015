/** Where the jobs are that a ledger waits for. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { silentLog } from '../../../src/log.ts';
import { createCensus } from '../../../src/queue/sidekiq/census.ts';
import { connect, disconnect, type Redis } from '../../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
});

beforeEach(() => redis.flushall());

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

const idOf = (n: number) => `k~t~0~0~${n}`;
const job = (n: number, args: unknown[] = []) =>
  JSON.stringify({ class: 'A', args, sl: { source: idOf(n) }, error_message: 'said "sl":{"source":"nothing"}' });

async function census() {
  const [living, dead]: [string[], string[]] = [[], []];
  await createCensus('test', redis).read({
    living: (source) => void living.push(source),
    dead: (source) => void dead.push(source),
  });
  return { living: [...new Set(living)].sort(), dead };
}

it('sees jobs wherever they are, and not those that arguments hold', async () => {
  await redis.sadd('queues', 'low');
  const stranger = `{"class":"A","args":[${job(10)}],"sl":{"key":"k"}}`;
  await redis.lpush('queue:low', job(1, [JSON.parse(job(11))]), stranger, `{"sl":{"source":"${idOf(12)}"`);
  await redis.zadd('schedule', '1', job(2));
  await redis.zadd('retry', '1', job(3));
  await redis.zadd('dead', '1', job(4), '2', `{"class":"A","args":[${job(13)}],"sl":{"from":"${idOf(14)}"}}`);
  await redis.sadd('sluice:sidekiq:private', 'work:low:h:1:a');
  await redis.lpush('work:low:h:1:a', job(5));
  expect(await census()).toEqual({ living: [1, 2, 3, 5].map(idOf), dead: [idOf(4)] });
});

it('reads on where keys are of another kind', async () => {
  await redis.sadd('queues', 'odd', 'low');
  await redis.mset('queue:odd', 'x', 'schedule', 'x', 'dead', 'x', 'odd-process', 'x', 'process:work', 'x');
  await redis.sadd('processes', 'odd-process', 'process');
  await redis.hset('process', 'beat', '1.5');
  await redis.hset(
    'process:workers',
    'tid',
    JSON.stringify({ payload: job(1) }),
    'other',
    JSON.stringify({ payload: JSON.parse(job(2)) }),
  );
  await redis.lpush('queue:low', job(3));
  const { beats, running } = createCensus('test', redis);
  expect([...(await beats())]).toEqual([['process', '1.5']]);
  expect((await running(['process', 'odd-process'])).sort()).toEqual([idOf(1), idOf(2)]);
  expect(await census()).toEqual({ living: [idOf(3)], dead: [] });
});

it('reads long queues, and jobs that are large', async () => {
  await redis.sadd('queues', 'low', 'large');
  const many = Array.from({ length: 3_000 }, (_, n) => n);
  await redis.lpush('queue:low', ...many.map((n) => job(n)));
  for (const n of [5_000, 5_001, 5_002]) {
    await redis.lpush('queue:large', ...Array.from({ length: 10 }, (_, i) => job(n + 10 * i, ['x'.repeat(300_000)])));
  }
  const { living } = await census();
  expect(living).toHaveLength(3_000 + 30);
});

it('knows the queues of processes that do not tell', async () => {
  const now = Math.floor(Date.now() / 1000);
  const process = (id: string, ...queues: string[]) => redis.hset(id, 'info', JSON.stringify({ queues }));
  await process('telling', 'a', 'b');
  await process('silent', 'b', 'c');
  await process('hung', 'd');
  await process('killed', 'e');
  await redis.hset('ours', 'info', JSON.stringify({ queues: ['f'], version: 'sluice' }));
  await redis.hset('torn', 'info', '{');
  await redis.zadd(
    'sluice:sidekiq:reporters',
    String(now),
    'telling',
    String(now - 60),
    'killed',
    String(now - 90),
    'hung',
  );
  const queues = (...processes: string[]) => createCensus('test', redis).silentQueues(processes);
  expect([...(await queues('telling', 'silent', 'hung', 'killed', 'ours', 'torn', 'gone'))]).toEqual([
    ['b', 'silent'],
    ['c', 'silent'],
    ['d', 'hung'],
  ]);
  await redis.set('sluice:sidekiq:reporters', 'not a set');
  expect([...(await queues('telling', 'ours'))]).toEqual([
    ['a', 'telling'],
    ['b', 'telling'],
  ]);
});
