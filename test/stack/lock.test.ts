import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from '../../stack/lock.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Runs so many at once, each with a step in between, and tells how many were ever inside together. */
async function mostAtOnce(count: number): Promise<number> {
  let [inside, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, ++inside);
    await new Promise((done) => setTimeout(done, 5));
    inside--;
  };
  await Promise.all(Array.from({ length: count }, () => withLock(dir, work)));
  return most;
}

test('lets one in at a time, and leaves nothing behind', async () => {
  expect(await mostAtOnce(8)).toBe(1);
  expect(readdirSync(dir)).toEqual([]);
});

test('gives the lock back when the work fails', async () => {
  await expect(withLock(dir, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await mostAtOnce(1)).toBe(1);
});

test('is taken over from a process that is gone, by one of those who wait', async () => {
  const gone = execFileSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).trim();
  writeFileSync(join(dir, 'lock'), `${gone} 1`);
  expect(await mostAtOnce(8)).toBe(1);
});

test.skipIf(process.platform !== 'linux')('is taken over when another process has the id of its owner', async () => {
  writeFileSync(join(dir, 'lock'), `${process.pid} 1`);
  expect(await mostAtOnce(3)).toBe(1);
});

test('is not taken from a process that lives', async () => {
  const lock = new URL('../../stack/lock.ts', import.meta.url).href;
  const hold = `const { withLock } = await import(${JSON.stringify(lock)});
    await withLock(${JSON.stringify(dir)}, () => new Promise((end) => {
      process.stdout.write('held');
      process.stdin.once('data', end);
    }));
    process.exit();`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', hold], { stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => holder.stdout.once('data', resolve));
  let isIn = false;
  const waiting = withLock(dir, async () => {
    isIn = true;
  });
  // Two looks at the lock.
  await new Promise((done) => setTimeout(done, 250));
  expect(isIn).toBe(false);
  holder.stdin.write('go');
  await waiting;
  expect(isIn).toBe(true);
});
