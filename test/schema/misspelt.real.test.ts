/** A misspelt field: refused by the compiler once `sluice types` was run, and by the schema at run time. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, runSluice } from '../support/sluice.ts';

let dir: string;

const PROTO = 'syntax = "proto3";\npackage acme.v1;\nmessage Send { string address = 1; int64 amount = 2; }\n';
const CONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    customConditions: ['sluice-source'],
    types: ['node'],
    typeRoots: [`${ROOT}node_modules/@types`],
  },
  include: ['workers', '*.d.ts'],
};

function worker(field: string): string {
  return `import { defineWorker } from 'sluice';
export default defineWorker('acme.v1.Send', { run(message) { void message.${field}.length; const n: bigint = message.amount; void n; } });
`;
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-types-'));
  for (const folder of ['workers', 'proto', 'node_modules']) mkdirSync(join(dir, folder));
  symlinkSync(ROOT.replace(/\/$/, ''), join(dir, 'node_modules/sluice'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'proto/send.proto'), PROTO);
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(CONFIG));
  writeFileSync(join(dir, 'workers/send.ts'), worker('address'));
});

afterAll(() => rmSync(dir, { recursive: true }));

function compile(): { status: number | null; output: string } {
  const { status, stdout } = spawnSync(`${ROOT}node_modules/.bin/tsc`, ['-p', dir], { encoding: 'utf8' });
  return { status, output: stdout };
}

it('compiles before the types exist, and not with a misspelt field once they do', async () => {
  expect(compile()).toEqual({ status: 0, output: '' });
  const types = runSluice(['types'], { cwd: dir });
  expect(await types.ended).toBe(0);
  expect(compile()).toEqual({ status: 0, output: '' });
  writeFileSync(join(dir, 'workers/send.ts'), worker('adress'));
  expect(compile().output).toContain("Property 'adress' does not exist");
  const check = runSluice(['types', '--check'], { cwd: dir });
  expect(await check.ended).toBe(0);
  writeFileSync(join(dir, 'proto/send.proto'), PROTO.replace('address', 'addressee'));
  const stale = runSluice(['types', '--check'], { cwd: dir });
  expect(await stale.ended).toBe(1);
});

it('scaffolds a worker whose test passes as it is, and overwrites nothing', async () => {
  const made = runSluice(['new', 'worker', 'SendWelcome'], { cwd: dir });
  expect(await made.ended).toBe(0);
  const test = join(dir, 'workers/send-welcome.test.ts');
  const output = execFileSync(process.execPath, ['--conditions=sluice-source', '--test', test], {
    cwd: dir,
    encoding: 'utf8',
  });
  expect(output).toMatch(/pass 2/);
  const again = runSluice(['new', 'worker', 'SendWelcome'], { cwd: dir });
  expect(await again.ended).toBe(2);
  expect(again.stderr()).toContain('exists; nothing was written');
});
