/** tools/run.mjs, in a checkout whose packages are installed: every npm script goes through it. */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUN = join(ROOT, 'tools', 'run.mjs');
const run = (...args: string[]) => spawnSync(process.execPath, [RUN, ...args], { encoding: 'utf8', cwd: '/' });

test("runs in the project's folder, with its own Node first", () => {
  const look = 'console.log(process.cwd(), process.env.PATH)';
  const [folder = '', path = ''] = run('node', '-e', look).stdout.split(' ');
  expect(join(folder, '/')).toBe(ROOT);
  expect(path.startsWith(join(ROOT, 'node_modules', '.bin'))).toBe(true);
});

test('ends as the command ends', () => {
  expect(run('node', '-e', 'process.exit(6)').status).toBe(6);
  expect(run('node', '-e', "process.kill(process.pid, 'SIGKILL')").status).toBe(137);
});

test('says which command is missing, and its usage', () => {
  expect(run('no-such-command')).toMatchObject({ status: 1, stderr: expect.stringContaining('no-such-command') });
  expect(run()).toMatchObject({ status: 2, stderr: expect.stringContaining('usage') });
});

test('passes a SIGTERM on, and waits for the command to finish', async () => {
  const script =
    "process.on('SIGTERM', () => setTimeout(() => process.exit(7), 100)); setInterval(() => {}, 1e3); console.log('on')";
  const child = spawn(process.execPath, [RUN, 'node', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGTERM');
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(7);
});
