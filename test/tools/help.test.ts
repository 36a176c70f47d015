/** The commands of the clone, asked how they are used. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { ROOT } from '../support/sluice.ts';

const run = promisify(execFile);

it.each([
  ['stack', 'stack/main.ts'],
  ['faults', 'faults/main.ts'],
  ['bench', 'bench/main.ts'],
  ['demo', 'demo/main.ts'],
  ['demo:sidekiq', 'demo/sidekiq/main.ts'],
])('npm run %s -- --help prints the usage, and starts nothing', { timeout: 30_000 }, async (name, file) => {
  for (const flag of ['--help', '-h']) {
    const { stdout, stderr } = await run(process.execPath, ['--conditions=sluice-source', file, flag], { cwd: ROOT });
    expect([stdout.startsWith(`usage: npm run ${name} -- `), stderr]).toEqual([true, '']);
  }
});
