/** Offsets that make no sense: the partition halts, an operator decides, and it goes on without a restart or after one. */
import kafkajs, { type Admin } from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect, type Redis } from '../../src/redis/connection.ts';
import { sluiceEnv } from '../support/env.ts';
import { makeTopic, type TestTopic, views } from '../support/kafka.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { type Running, runSluice } from '../support/sluice.ts';

const SOON = { timeout: 40_000, interval: 100 };
vi.setConfig({ testTimeout: 120_000 });
const HALTED = /partition halted; an operator has to decide/;

let server: TestRedis;
let redis: Redis;
let topic: TestTopic;
let peer: Admin;
let env: Record<string, string>;
const bridges: Running[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = connect('test', server, 'command', silentLog);
});

beforeEach(async () => {
  topic = await makeTopic(1);
  env = sluiceEnv(topic, server, 'idle-workers');
  peer = new kafkajs.Kafka({ brokers: topic.kafka.brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await peer.connect();
});

afterEach(async () => {
  for (const each of bridges.splice(0)) expect(await each.kill('SIGTERM')).toBe(0);
  await Promise.all([topic.stop(), peer.disconnect()]);
});

afterAll(async () => {
  await disconnect(redis);
  await server.stop();
});

function startBridge(): Running {
  const bridge = runSluice(['bridge'], { env });
  bridges.push(bridge);
  return bridge;
}

async function stopBridge(bridge: Running): Promise<void> {
  bridges.splice(bridges.indexOf(bridge), 1);
  expect(await bridge.kill('SIGTERM')).toBe(0);
}

async function offsets(...args: readonly string[]) {
  const running = runSluice(['offsets', ...args, '--json'], { env });
  const code = await running.ended;
  const lines = running.stdout().split('\n');
  return { code, json: lines.filter((line) => line !== '').map((line) => JSON.parse(line)), stderr: running.stderr() };
}

async function jobs(generation: number): Promise<string[]> {
  const keys = await redis.keys(`bull:*:k~${topic.topic}~${generation}~0~*`);
  return keys.map((key) => key.slice(key.lastIndexOf('~') + 1)).sort();
}

async function madeAnew(): Promise<void> {
  await peer.deleteTopics({ topics: [topic.topic] });
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  await vi.waitFor(() => admin.ensureTopics([{ topic: topic.topic, partitions: 1 }]), SOON);
  await vi.waitFor(async () => expect((await admin.bounds([topic.topic])).size).toBe(1), SOON);
  await admin.stop(1_000);
}

it('goes on in a topic made anew, with job ids of their own, while the bridge runs', async () => {
  const first = startBridge();
  await topic.producer.sendMany(views(5));
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(5), SOON);
  await stopBridge(first);
  await madeAnew();
  await topic.producer.sendMany(views(3, 100));
  const second = startBridge();
  await vi.waitFor(() => expect(second.stderr()).toMatch(HALTED), SOON);
  await vi.waitFor(async () => {
    const { code, json } = await offsets('show');
    expect(code).toBe(5);
    expect(json[0]).toMatchObject({ state: 'halted', isHalted: true, log: { low: 0, high: 3 }, unsettled: 5 });
  }, SOON);

  const dry = await offsets('reset', '--topic', topic.topic, '--to', 'earliest', '--dry-run');
  expect(dry.json[0]).toMatchObject({ offset: 0, generation: 1, again: [{ start: 0, end: 3 }], unwatchedJobs: 5 });
  expect(await offsets('reset', '--topic', topic.topic, '--to', 'earliest')).toMatchObject({ code: 2 });
  expect(await jobs(1)).toEqual([]);
  expect(await offsets('reset', '--topic', topic.topic, '--to', 'earliest', '--yes')).toMatchObject({ code: 0 });
  await vi.waitFor(async () => expect(await jobs(1)).toEqual(['0', '1', '2']), SOON);
  expect(await jobs(0)).toHaveLength(5);
  await topic.producer.sendMany(views(2, 200));
  await vi.waitFor(async () => expect(await jobs(1)).toHaveLength(5), SOON);
  await vi.waitFor(async () => {
    expect(await offsets('show')).toMatchObject({ code: 0, json: [{ generation: 1, unsettled: 5, isHalted: false }] });
  }, SOON);

  // In work, it is nobody's to move.
  const moved = await offsets('reset', '--topic', topic.topic, '--partition', '0', '--to', 'latest', '--yes');
  expect(moved).toMatchObject({ code: 3, stderr: expect.stringContaining('stop the bridges') });

  await stopBridge(second);
  await madeAnew();
  await topic.producer.sendMany(views(4, 300));
  expect((await offsets('show')).json[0].reason).toContain('generation 1');
  expect(await offsets('reset', '--topic', topic.topic, '--to', '1', '--yes')).toMatchObject({ code: 0 });
  startBridge();
  await vi.waitFor(async () => expect(await jobs(2)).toEqual(['1', '2', '3']), SOON);
  expect(await jobs(1)).toHaveLength(5);
});

it('halts in a topic that was made anew while the bridge ran, though it is longer by now than the old one', async () => {
  const bridge = startBridge();
  await topic.producer.sendMany(views(5));
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(5), SOON);
  // The gate is closed meanwhile: nothing is fetched, so that nothing tells of the deletion.
  await redis.config('SET', 'maxmemory', '1');
  await vi.waitFor(() => expect(bridge.stderr()).toContain('gate closed'), SOON);
  await madeAnew();
  await topic.producer.sendMany(views(30, 100));
  await redis.config('SET', 'maxmemory', '0');
  await vi.waitFor(() => expect(bridge.stderr()).toMatch(HALTED), SOON);
  expect((await offsets('show')).json[0]).toMatchObject({ isHalted: true });
  expect(await offsets('reset', '--topic', topic.topic, '--to', 'earliest', '--yes')).toMatchObject({ code: 0 });
  await vi.waitFor(async () => expect(await jobs(1)).toHaveLength(30), SOON);
});

it('goes on behind what retention took, with the jobs that it has', async () => {
  const first = startBridge();
  await topic.producer.sendMany(views(4));
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(4), SOON);
  await stopBridge(first);
  await topic.producer.sendMany(views(6, 4));
  await peer.fetchTopicOffsets(topic.topic);
  await peer.deleteTopicRecords({ topic: topic.topic, partitions: [{ partition: 0, offset: '2' }] });
  const second = startBridge();
  await vi.waitFor(() => expect(second.stderr()).toMatch(HALTED), SOON);
  const dry = await offsets('reset', '--topic', topic.topic, '--to', '6', '--dry-run');
  expect(dry.json[0]).toMatchObject({
    recordsAre: 'same',
    generation: 0,
    skipped: [{ start: 4, end: 6 }],
    gone: [{ start: 0, end: 2 }],
    onlyInRedis: 4,
  });
  expect(await offsets('reset', '--topic', topic.topic, '--to', 'earliest', '--yes')).toMatchObject({ code: 0 });
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(10), SOON);
  expect(second.stderr()).toContain('halted partition goes on');
});

it('runs records once more when it is told to, with no bridge about', async () => {
  const first = startBridge();
  await topic.producer.sendMany(views(3));
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(3), SOON);
  await stopBridge(first);
  const reset = ['reset', '--topic', topic.topic, '--partition', '0'];
  expect(await offsets('reset', '--topic', topic.topic, '--to', 'earliest', '--yes')).toMatchObject({ code: 2 });
  expect(await offsets(...reset, '--to', '4', '--yes')).toMatchObject({ code: 2 });
  expect(await offsets(...reset, '--to', '1', '--records', 'new', '--yes')).toMatchObject({ code: 0 });
  startBridge();
  await vi.waitFor(async () => expect(await jobs(1)).toEqual(['1', '2']), SOON);
});

it('commits by itself when the bridge that is a member yet was killed', async () => {
  env = { ...env, SLUICE_KAFKA__SESSION_TIMEOUT_MS: '12000' };
  const first = startBridge();
  await topic.producer.sendMany(views(2));
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(2), SOON);
  await vi.waitFor(async () => expect((await topic.committed()).size).toBe(1), SOON);
  bridges.length = 0;
  await first.kill('SIGKILL');
  // Its heartbeat speaks for it a while longer.
  await vi.waitFor(async () => expect((await offsets('show')).json[0].state).toBe('not held'), SOON);
  const reset = ['reset', '--topic', topic.topic, '--partition', '0', '--to', '0', '--records', 'new', '--yes'];
  const began = performance.now();
  expect(await offsets(...reset)).toMatchObject({ code: 0 });
  expect(performance.now() - began).toBeGreaterThan(2_500);
  startBridge();
  await vi.waitFor(async () => expect(await jobs(1)).toHaveLength(2), SOON);
});

it('goes on by itself when what was wrong is mended', async () => {
  const admin = createKafkaAdmin(topic.kafka, silentLog);
  const index = `sluice:ledger:${await admin.clusterId()}:${topic.groupId}:${topic.topic}:0:c`;
  await admin.stop(1_000);
  await redis.set(index, 'foreign');
  const bridge = startBridge();
  await topic.producer.sendMany(views(2));
  await vi.waitFor(() => expect(bridge.stderr()).toMatch(HALTED), SOON);
  expect((await offsets('show')).json[0].reason).toContain('foreign type');
  await redis.del(index);
  await vi.waitFor(async () => expect(await jobs(0)).toHaveLength(2), SOON);
  expect(bridge.stderr().match(new RegExp(HALTED, 'g'))).toHaveLength(1);
  expect(bridge.stderr()).toContain('halted partition goes on');
});

it('says which of the two is away', async () => {
  const kafkaAway = await runSluice(['offsets', 'show'], { env: { ...env, KAFKA_BROKERS: '127.0.0.1:1' } }).ended;
  const redisAway = await runSluice(['offsets', 'show'], { env: { ...env, REDIS_URL: 'redis://127.0.0.1:1' } }).ended;
  expect([kafkaAway, redisAway]).toEqual([4, 4]);
});
