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
  ['model', 'test/model/main.ts'],
  ['simulation', 'test/simulation/main.ts'],
  ['demo', 'demo/main.ts'],
  ['demo:sidekiq', 'demo/sidekiq/main.ts'],
])('npm run %s -- --help prints the usage, and starts nothing', { timeout: 30_000 }, async (name, file) => {
  // A process each: the short form, too, of one.
  for (const flag of name === 'stack' ? ['--help', '-h'] : ['--help']) {
    const { stdout, stderr } = await run(process.execPath, ['--conditions=sluice-source', file, flag], { cwd: ROOT });
    expect([stdout.startsWith(`usage: npm run ${name} -- `), stderr]).toEqual([true, '']);
  }
});

it.each([
  ['bench', 'bench/main.ts', '--round 3', 'Unknown option'],
  ['bench', 'bench/main.ts', '--rounds none', '--rounds: "none" is not allowed; allowed: a number above 0'],
  ['bench', 'bench/main.ts', '--only fil', 'there is no measurement fil; there are: fill, '],
  ['model', 'test/model/main.ts', '--minutes 0', '--minutes: "0" is not allowed'],
  ['simulation', 'test/simulation/main.ts', '--help-me', 'Unknown option'],
])('npm run %s: %s %s is refused, and says what is allowed', async (name, file, args, words) => {
  const child = run(process.execPath, ['--conditions=sluice-source', file, ...args.split(' ')], { cwd: ROOT });
  const { code, stderr } = (await child.catch((error: unknown) => error)) as { code: number; stderr: string };
  expect([code, stderr]).toEqual([2, expect.stringMatching(`^${name}: `)]);
  expect(stderr).toContain(words);
  expect(stderr).toContain(`usage: npm run ${name} -- `);
});
