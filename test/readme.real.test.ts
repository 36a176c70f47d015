/** The README's own code: the worker is what `sluice new worker` writes, and every block compiles. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { silentLog } from '../src/log.ts';
import { connect, disconnect } from '../src/redis/connection.ts';
import { startRedis } from './support/redis.ts';
import { ROOT, runSluice } from './support/sluice.ts';

const blocks = [...readFileSync(`${ROOT}README.md`, 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code]) => code as string,
);

let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
  mkdirSync(join(dir, 'node_modules'));
  symlinkSync(ROOT.replace(/\/$/, ''), join(dir, 'node_modules/sluice'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module","name":"app"}');
  expect(await runSluice(['new', 'worker', 'SendWelcome'], { cwd: dir }).ended).toBe(0);
  expect(await runSluice(['types'], { cwd: dir }).ended).toBe(0);
});

afterAll(() => rmSync(dir, { recursive: true }));

function block(having: string): string {
  const found = blocks.find((each) => each.includes(having));
  expect(found, `a block with ${having}`).toBeDefined();
  return found as string;
}

it('shows the worker that is written', () => {
  expect(readFileSync(join(dir, 'workers/send-welcome.ts'), 'utf8')).toBe(block('defineWorker('));
});

it('shows code that compiles', () => {
  for (const [i, code] of blocks.entries())
    writeFileSync(join(dir, 'workers', `block-${i}.ts`), `${code}\nexport {};\n`);
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    customConditions: ['sluice-source'],
    types: ['node'],
    typeRoots: [`${ROOT}node_modules/@types`],
  };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['workers', '*.d.ts'] }));
  const { stdout } = spawnSync(`${ROOT}node_modules/.bin/tsc`, ['-p', dir], { encoding: 'utf8' });
  // The compiler sees Sluice's sources here, by options that are not theirs.
  expect(stdout.split('\n').filter((line) => line.includes('workers/'))).toEqual([]);
});

it('shows a test that runs', () => {
  const file = join(dir, 'workers/_shown.ts');
  writeFileSync(file, `${block('perform(')}\nconsole.log(outcome.kind, collected.length);\n`);
  expect(execFileSync(process.execPath, ['--conditions=sluice-source', file], { cwd: dir, encoding: 'utf8' })).toBe(
    'done 0\n',
  );
});

it('shows Sidekiq jobs that Redis then holds', async () => {
  const redis = await startRedis();
  const file = join(dir, 'workers/_shown-sidekiq.ts');
  writeFileSync(file, block('sidekiq.perform('));
  const env = { ...process.env, SLUICE_VIA: 'redis', REDIS_URL: redis.url };
  execFileSync(process.execPath, ['--conditions=sluice-source', file], { cwd: dir, env });
  const connection = connect('test', redis, 'command', silentLog);
  const later = (await connection.zrange('schedule', '0', '-1')).map((text) => JSON.parse(text));
  expect(later.map(({ class: name, args, queue }) => [name, args, queue])).toEqual([
    ['HardJob', ['bob', 5], 'critical'],
    ['Welcome', [{ id: 7 }], 'default'],
    ['Welcome', [{ id: 8 }], 'default'],
  ]);
  const [now] = await connection.lrange('queue:default', 0, -1);
  expect(now).toContain('"args":[1.0,9007199254740993]');
  await disconnect(connection);
  await redis.stop();
});
