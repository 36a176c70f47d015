/**
 * The published package, as a user gets it: packed, installed into an empty folder, and run there on the oldest Node
 * that is promised. A TypeScript worker of the user's runs; the producer's entry stays light.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startRedis } from './support/redis.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OLDEST_NODE = '22.19';
/** Stated to users; generous here, because other tests share the cores. */
const PRODUCER_IMPORT_MS = 1_500;

const run = promisify(execFile);
const home = mkdtempSync(join(tmpdir(), 'sluice-package-'));
const env = { ...process.env, PATH: `${join(home, 'node_modules', '.bin')}${delimiter}${process.env.PATH}` };
const inHome = (command: string, args: readonly string[], more: Record<string, string> = {}) =>
  run(command, args, { cwd: home, env: { ...env, ...more } });

beforeAll(async () => {
  const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', home], { cwd: ROOT });
  const filename = /"filename":\s*"([^"]+)"/.exec(stdout)?.[1] ?? '';
  const manifest = { type: 'module', private: true, allowScripts: { node: true } };
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest));
  const packages = [`./${filename}`, `node@${OLDEST_NODE}`];
  await inHome('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages]);
}, 240_000);

afterAll(() => rmSync(home, { recursive: true, force: true }));

test('it runs on the oldest Node that is promised, with the configuration of its defaults', async () => {
  expect((await inHome('node', ['--version'])).stdout).toMatch(`v${OLDEST_NODE}.`);
  const { stdout } = await inHome('sluice', ['config', 'show', '--json']);
  expect(JSON.parse(stdout)).toHaveProperty('settings');
  expect(stdout).toContain('kafka.brokers');
});

test('a TypeScript worker of the user runs', async () => {
  const redis = await startRedis();
  mkdirSync(join(home, 'workers'));
  mkdirSync(join(home, 'proto'));
  writeFileSync(
    join(home, 'proto', 'hello.proto'),
    'syntax = "proto3";\npackage hello.v1;\nmessage Hello { string name = 1; }\n',
  );
  writeFileSync(
    join(home, 'workers', 'hello.ts'),
    `import { writeFileSync } from 'node:fs';
import { defineWorker } from 'sluice';
interface Greeted { readonly name: string }
export default defineWorker('hello.v1.Hello', {
  async run(message: Greeted): Promise<void> { writeFileSync('greeted', message.name); },
});
`,
  );
  await inHome('sluice', ['produce', 'hello.v1.Hello', '--via', 'redis', '--json', '{"name":"Ada"}'], {
    REDIS_URL: redis.url,
  });
  const host = spawn('sluice', ['work'], { cwd: home, env: { ...env, REDIS_URL: redis.url }, stdio: 'ignore' });
  const ended = new Promise((resolve) => host.once('close', resolve));
  try {
    await vi.waitFor(() => expect(existsSync(join(home, 'greeted'))).toBe(true), { timeout: 20_000, interval: 100 });
    expect(readFileSync(join(home, 'greeted'), 'utf8')).toBe('Ada');
  } finally {
    host.kill('SIGTERM');
    await ended;
    await redis.stop();
  }
});

test("the producer's entry loads no dashboard, no collector and no logging, and quickly", async () => {
  writeFileSync(
    join(home, 'light.mjs'),
    `import { registerHooks } from 'node:module';
const loaded = [];
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
const start = performance.now();
await import('sluice/producer');
const ms = performance.now() - start;
process.stdout.write(JSON.stringify({ ms, loaded }));
`,
  );
  const { stdout } = await inHome('node', ['light.mjs']);
  const { ms, loaded } = JSON.parse(stdout) as { ms: number; loaded: string[] };
  expect(
    loaded.filter((url) =>
      /fastify|bull-board|\/undici\/|\/pino\/|commander|dist\/(cli|bridge|worker|dashboard)\//.test(url),
    ),
  ).toEqual([]);
  expect(loaded.some((url) => url.endsWith('dist/producer.js'))).toBe(true);
  expect(ms).toBeLessThan(PRODUCER_IMPORT_MS);
});

test('nothing but the product is in it', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--silent', '--ignore-scripts'], { cwd: ROOT });
  const paths = [...stdout.matchAll(/"path":\s*"([^"]+)"/g)].map(([, path]) => path ?? '');
  expect(paths).toEqual(expect.arrayContaining(['proto/sluice/v1/job.proto', 'compose.yaml']));
  expect(paths.some((path) => path.endsWith('.lua'))).toBe(true);
  expect(paths.filter((path) => /^(src|test|stack|demo|workers)\/|(?<!\.d)\.ts$/.test(path))).toEqual([]);
});
