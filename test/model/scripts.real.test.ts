/** The model's scripts against the Lua scripts in a real Redis: the same calls, the same answers. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import type { Job } from '../../src/job/job.ts';
import { silentLog } from '../../src/log.ts';
import { ownAdder } from '../../src/queue/bullmq/adder.ts';
import { createBullSink } from '../../src/queue/bullmq/sink.ts';
import type { Claim, Sink } from '../../src/queue/sink.ts';
import { type Redis as Connection, connect, disconnect } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import * as scripts from './scripts.ts';
import { emptyData } from './start.ts';
import type { Message, Redis } from './state.ts';
import { bit, offsetsOf, rangeSetOf, setOf, world } from './world.ts';

const LEDGER = { cluster: 'c', group: 'g', topic: 't', partition: 0 };
const OFFSETS = 12;
const WORLD = world();
const JOB: Job = {
  ...{
    queue: 'mail',
    name: 'a.B',
    data: '{}',
    attempts: 1,
    backoff: { baseMs: 1, maxMs: 1 },
    timestamp: 1,
    delayMs: 0,
  },
  ...{ priority: 0, about: {} },
};

let server: TestRedis;
let redis: Connection;
let sink: Sink;

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
  sink = createBullSink({ name: 'test', redis, prefix: 'bull', adder: ownAdder() });
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

it.each([1, 2, 3])('answer as the Lua scripts do, whatever comes (seed %i)', async (seed) => {
  const random = createRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const model: Redis = { incarnation: 1, data: emptyData(), snapshot: undefined };
  await redis.flushall();
  const claims: { real: Claim; token: number; incarnation: number }[] = [];

  async function claim() {
    const real = (await sink.claim(LEDGER, 0)) as Claim;
    const token = claims.length + 1;
    const { enqueued, isReconciled } = scripts.claim(model, token);
    expect(real).toMatchObject({ enqueued, isReconciled });
    claims.push({ real, token, incarnation: 1 });
  }

  /** Mostly the last claim; sometimes an earlier one, or one of another incarnation. */
  function someClaim() {
    const known = claims.at(-1 - (below(4) === 0 ? below(Math.min(3, claims.length)) : 0)) as (typeof claims)[0];
    if (below(8) > 0) return known;
    return { ...known, real: { ...known.real, incarnation: 'another' }, incarnation: 2 };
  }

  function call(token: number, incarnation: number, expected: number, last: number, jobs: number): Message {
    const sent = { from: 0, shard: 0, token, incarnation, expected, last, jobs, topicGeneration: 0 };
    return { ...sent, kind: 'batch', status: '', enqueued: -1, unsettled: 0, dead: 0 };
  }

  async function enqueue() {
    const { real, token, incarnation } = someClaim();
    const expected = Math.max(-1, model.data.enqueued + 1 - below(4));
    const last = Math.min(OFFSETS - 1, Math.max(0, expected + 1 + below(3)));
    const offsets = [last - 2, last - 1, last].filter((offset) => offset >= 0 && below(4) > 0);
    const before = scripts.jobsOf(model.data);
    const message = call(token, incarnation, expected, last, setOf(offsets));
    scripts.enqueue(model, message, WORLD);
    const created = offsetsOf(scripts.jobsOf(model.data) & ~before).length;
    const answer = message.status === 'ok' ? { created } : {};
    const reply = await sink.enqueue(real, expected, { jobs: offsets.map((offset) => ({ offset, job: JOB })), last });
    expect(reply).toMatchObject({ status: message.status, enqueued: message.enqueued, ...answer });
  }

  async function inspect() {
    const { real, token, incarnation } = someClaim();
    const message = call(token, incarnation, Math.max(-1, model.data.enqueued - below(2)), -1, 0);
    scripts.inspect(model, message, WORLD);
    const reply = await sink.inspect(real, message.expected, 0, 100);
    expect(reply).toMatchObject({ status: message.status, enqueued: message.enqueued });
    if (reply.status !== 'ok') return;
    expect(setOf(reply.unsettled)).toBe(message.unsettled);
    expect(setOf(reply.dead.map(({ offset }) => offset))).toBe(message.dead);
  }

  async function bury() {
    const { real, token, incarnation } = someClaim();
    const offset = below(OFFSETS);
    const caller = { token, incarnation, expected: model.data.enqueued };
    const { status, removed } = scripts.bury(model, caller, offset, WORLD);
    const reply = await sink.bury(real, caller.expected, { offset, queue: 'mail' });
    if (status === 'ok') expect(reply).toBe(removed);
    else expect(reply).toMatchObject({ status });
  }

  async function reconcile() {
    const { real, token, incarnation } = someClaim();
    const finished = setOf([below(OFFSETS), below(OFFSETS)]);
    const status = scripts.removeFinished(model, { token, incarnation, expected: real.enqueued }, finished, WORLD);
    expect(await sink.reconcile(real, rangeSetOf(finished).ranges)).toMatchObject({ status });
  }

  async function end(state: 'completed' | 'dead' | 'gone') {
    const [offset] = offsetsOf(model.data.waiting);
    if (offset === undefined) return;
    const job = `bull:mail:k~t~0~0~${offset}`;
    model.data.waiting &= ~bit(offset);
    if (state === 'gone') await redis.del(job);
    else await redis.hset(job, 'finishedOn', '1');
    const list = state === 'dead' ? 'failed' : 'completed';
    if (state !== 'gone') await redis.zadd(`bull:mail:${list}`, 1, `k~t~0~0~${offset}`);
    if (state !== 'gone') model.data[state] |= bit(offset);
  }

  async function flush() {
    await redis.flushall();
    model.data = emptyData();
  }

  await claim();
  const often = [enqueue, enqueue, enqueue, inspect, inspect, bury, bury, () => end('dead'), () => end('dead')];
  const moves = [...often, () => end('completed'), () => end('gone'), claim, reconcile];
  for (let step = 0; step < 400; step++) {
    await (moves[below(moves.length)] as () => Promise<void>)();
    if (model.data.enqueued === OFFSETS - 1 && below(20) === 0) await flush();
  }
});
