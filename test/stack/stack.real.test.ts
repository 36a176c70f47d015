/** The stack as its users call it: started twice at once, ended, broken. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { fetchJars, jarsIn, pinnedJars } from '../../stack/jars.ts';
import { isAlive } from '../../stack/native.ts';
import { down, readState } from '../../stack/stack.ts';
import { missingTools } from '../../stack/tools.ts';
import { startRedis } from '../support/redis.ts';
import { ROOT } from '../support/sluice.ts';
import { kafkaBrokers } from '../support/stack.ts';

const MAIN = join(ROOT, 'stack', 'main.ts');
/** No address and no container engine from outside: the stack starts its own, as processes. */
const { KAFKA_BROKERS, REDIS_URL, ...clean }: NodeJS.ProcessEnv = { ...process.env, DOCKER_HOST: 'unix:///nowhere' };

// Maven asks a repository once; each test then has the same jars.
let jars: string;
let dir: string;

const hasMaven = missingTools(tmpdir(), { kafka: true, redis: false }).length === 0;

beforeAll(async () => {
  jars = mkdtempSync(join(tmpdir(), 'sluice-jars-'));
  if (hasMaven) await fetchJars(jars);
}, 180_000);
afterAll(() => rmSync(jars, { recursive: true, force: true }));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-stack-'));
});
afterEach(async () => {
  await down({ dir, env: {} });
  rmSync(dir, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function stack(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { ...clean, ...env } };
    execFile(process.execPath, [MAIN, ...args, '--dir', dir], options, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

/** A PATH on which only these commands are. */
function onlyCommands(commands: Readonly<Record<string, string>>): { PATH: string } {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const [name, text] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return { PATH: bin };
}

test.runIf(hasMaven)(
  'started twice at once it is one stack, and it ends whole',
  async () => {
    symlinkSync(jarsIn(jars), join(dir, 'jars'));
    const [one, two] = await Promise.all([stack(['up']), stack(['up'])]);
    expect(one).toMatchObject({ code: 0, stderr: '' });
    expect(two.stdout).toBe(one.stdout);
    expect(one.stdout).toMatch(
      /^export KAFKA_BROKERS=127\.0\.0\.1:\d+\nexport REDIS_URL=redis:\/\/127\.0\.0\.1:\d+\n$/,
    );
    expect((await stack(['env'])).stdout).toBe(one.stdout);
    expect(await stack(['status'])).toMatchObject({ code: 0 });

    const { kafka, redis } = readState(dir);
    expect(await stack(['down'])).toMatchObject({ code: 0 });
    expect([kafka, redis].map((started) => started !== undefined && isAlive(started.pid, started.mark))).toEqual([
      false,
      false,
    ]);
    expect(await stack(['status'])).toMatchObject({ code: 5 });
    expect(await stack(['env'])).toMatchObject({ code: 5, stdout: '' });
  },
  120_000,
);

test('a Kafka that ends at once is told with its last words, and the Redis beside it is not forgotten', async () => {
  const found = process.env.PATH ?? '';
  mkdirSync(jarsIn(dir));
  writeFileSync(join(jarsIn(dir), '.complete'), '');
  const { PATH } = onlyCommands({
    java: 'case "$*" in -version) echo \'openjdk version "21.0.1"\' >&2;; *StorageTool*) ;; *) echo no room left; exit 1;; esac',
  });
  const { code, stderr } = await stack(['up'], { PATH: `${PATH}:${found}`, JAVA_HOME: '' });
  expect(code).toBe(1);
  expect(stderr).toContain('Kafka at 127.0.0.1');
  expect(stderr).toContain('no room left');
  const { redis } = readState(dir);
  expect(redis && isAlive(redis.pid, redis.mark)).toBe(true);
  await stack(['down']);
  expect(redis && isAlive(redis.pid, redis.mark)).toBe(false);
}, 60_000);

test('one error says all that is missing, and a Java that is too old is missing', async () => {
  const { PATH } = onlyCommands({ java: 'echo \'openjdk version "11.0.2"\' >&2' });
  const { code, stderr } = await stack(['up'], { PATH, JAVA_HOME: '' });
  expect(code).toBe(1);
  expect(stderr).toContain('missing: redis-server, java (17 or newer), mvn.');
  expect(stderr).toMatch(/KAFKA_BROKERS and REDIS_URL/);
});

test('servers that the environment names are used as they are', async () => {
  const redis = await startRedis();
  const named = { KAFKA_BROKERS: kafkaBrokers().join(','), REDIS_URL: `${redis.url}/0?name='it'` };
  const { code, stdout } = await stack(['up'], { ...onlyCommands({}), ...named });
  await redis.stop();
  expect(code).toBe(0);
  expect(stdout).toBe(
    `export KAFKA_BROKERS=${named.KAFKA_BROKERS}\nexport REDIS_URL='${redis.url}/0?name='\\''it'\\'''\n`,
  );
  expect(readState(dir)).toEqual({});
});

test('says what is wrong with an address, and shows no password', async () => {
  const wrong = await stack(['status'], { REDIS_URL: 'user:hunter2@h:6379' });
  expect(wrong).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^stack: REDIS_URL: a string without ":\/\/" is not allowed; allowed: an address/),
  });
  const away = { KAFKA_BROKERS: '127.0.0.1:1', REDIS_URL: 'redis://:hunter2@127.0.0.1:2' };
  const told = await Promise.all([stack(['env'], away), stack(['status'], away)]);
  expect(told[0].stderr).toContain('Redis at redis://:***@127.0.0.1:2 does not answer');
  expect(told[1].stdout).toContain('redis://:***@127.0.0.1:2');
  expect(JSON.stringify([wrong, told])).not.toContain('hunter2');
});

test('addresses that a shell has kept from a stack that is down are not believed', async () => {
  const kept = { KAFKA_BROKERS: '127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:2' };
  const env = await stack(['env'], kept);
  expect(env).toMatchObject({ code: 5, stdout: '' });
  expect(env.stderr).toMatch(
    /Kafka at 127\.0\.0\.1:1 does not answer; .*KAFKA_BROKERS: unset it.*; Redis at .*REDIS_URL/,
  );
  const up = await stack(['up'], kept);
  expect(up.code).toBe(1);
  expect(up.stderr).toMatch(/does not answer: no answer after 10 s/);
  expect(up.stderr).toContain('unset it');
});

test('a command or flag that is not known is answered with the usage', async () => {
  for (const args of [['start'], [], ['up', 'now'], ['up', '--force']])
    expect(await stack(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('usage: npm run stack') });
});

/** A Maven repository with the jars that Maven brought; `spoilt` is changed on the way. */
async function repository(spoilt?: string): Promise<{ server: Server; url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace('/maven2/', '');
    asked.push(path);
    response.end(path === spoilt ? 'spoilt' : readFileSync(join(jarsIn(jars), basename(path))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/maven2`, asked };
}

test.runIf(hasMaven)('the pinned list is what Maven brings, and is fetched without Maven', async () => {
  const { server, url, asked } = await repository();
  await fetchJars(dir, url);
  server.close();
  expect(asked.toSorted()).toEqual(Object.keys(pinnedJars()).toSorted());
  expect(readdirSync(jarsIn(dir)).toSorted()).toEqual(readdirSync(jarsIn(jars)).toSorted());
});

test.runIf(hasMaven)('a jar with other bytes is refused, and the set is not used', async () => {
  const [spoilt = ''] = Object.keys(pinnedJars());
  const { server, url } = await repository(spoilt);
  const found = createHash('sha256').update('spoilt').digest('hex');
  await expect(fetchJars(dir, url)).rejects.toThrow(`${spoilt} has SHA-256 ${found}`);
  server.close();
  expect(readdirSync(jarsIn(dir))).not.toContain('.complete');
});
