/** `sluice faults` against servers that are not its own: it acts on nothing that was not named, and leaves nothing. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createKafkaAdmin } from '../../src/kafka/admin.ts';
import { kafkaConfig } from '../../src/kafka/config.ts';
import { silentLog } from '../../src/log.ts';
import { connect, disconnect } from '../../src/redis/connection.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { runSluice } from '../support/sluice.ts';
import { kafkaBrokers } from '../support/stack.ts';

const prefix = `staging-${process.pid}`;

let redis: TestRedis;
let dir: string;

beforeAll(async () => {
  redis = await startRedis();
  dir = mkdtempSync(join(tmpdir(), 'sluice-faults-'));
});

afterAll(async () => {
  await redis.stop();
  rmSync(dir, { recursive: true, force: true });
});

function faults(...args: string[]) {
  const named = ['--brokers', kafkaBrokers().join(','), '--redis', redis.url, '--prefix', prefix, '--dir', dir];
  return runSluice(['faults', ...named, ...args]);
}

it('refuses without names on the command line, whatever the environment says', async () => {
  const env = { KAFKA_BROKERS: kafkaBrokers().join(','), REDIS_URL: redis.url };
  const run = runSluice(['faults', '--prefix', prefix], { env });
  expect(await run.ended).toBe(2);
  expect(run.stderr()).toContain('--brokers, --redis: not given');
});

it('refuses to empty a Redis without leave, and what only a server of its own allows', async () => {
  for (const kind of ['redis-flushall', 'redis-kill', 'broker-kill']) {
    const run = faults('--only', kind);
    expect(await run.ended).toBe(2);
    expect(run.stderr()).toContain(`"${kind}" cannot be done here`);
  }
});

it('refuses names that are in use', async () => {
  const other = connect('test', redis, 'command', silentLog);
  await other.hset(`${prefix}:probes:meta`, 'version', 'somebody');
  const run = faults('--only', 'bridge-kill', '--minutes', '0.1');
  expect(await run.ended).toBe(3);
  expect(run.stderr()).toContain('choose another prefix');
  expect(await other.hget(`${prefix}:probes:meta`, 'version')).toBe('somebody');
  await other.flushall();
  await disconnect(other);
});

it('does what can be done from outside, and takes away what it made', { timeout: 120_000 }, async () => {
  const other = connect('test', redis, 'command', silentLog);
  await other.set('not-ours', 'x');
  const run = runSluice([
    ...['faults', '--brokers', kafkaBrokers().join(','), '--redis', redis.url, '--prefix', `${prefix}-b`, '--dir', dir],
    ...['--only', 'redis-cut-bridges', '--minutes', '0.2', '--json'],
  ]);
  const code = await run.ended;
  expect(run.stderr()).toContain('healed in');
  expect(code).toBe(0);
  const verdict = JSON.parse(run.stdout().trim().split('\n').at(-1) ?? '') as object;
  expect(verdict).toMatchObject({ kinds: 1, lost: 0, createdTwice: 0, committedTooFar: 0, outOfOrder: null });
  expect(await other.keys('*')).toEqual(['not-ours']);
  await disconnect(other);
  const admin = createKafkaAdmin(kafkaConfig.parse({ brokers: kafkaBrokers() }), silentLog);
  expect((await admin.topics()).filter((topic) => topic.startsWith(`${prefix}-b`))).toEqual([]);
  await admin.stop(1_000);
});
