/** The feed's own interleavings over KafkaJS's consumer, with faults at random: docs/model.md, "The simulation". */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { live } from './world.ts';

const WORLDS = 50;
const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const SABOTAGE = new URL('../faults/sabotage.mjs', import.meta.url).href;

it('loses nothing, makes nothing twice and ends everything, in any of the worlds', async () => {
  for (let seed = 1; seed <= WORLDS; seed++) {
    const { trace } = await live(seed);
    expect(trace && `npm run simulation -- --seed ${seed}\n${trace}`).toBeUndefined();
  }
});

it('has one history for one seed', async () => {
  const { history } = await live(1);
  expect((await live(1)).history).toBe(history);
});

/** Begins where a violation is known; when the order of events changes, the next worlds have one. */
describe('a rule of the feed that is broken loses records, or would but for the last look', () => {
  it.each([
    ['due', 2],
    ['leftBehind', 104],
    ['claimAnew', 17],
    ['carried', 255],
    ['oneClaim', 315],
  ])('%s', async (rule, seed) => {
    const { code, stdout } = await simulate(seed, rule);
    expect(stdout).toMatch(
      / {2}=> partition \d: (Redis [AB] passes over the unfinished \w+ \d+|a cut would have left a hole)/,
    );
    expect(code).toBe(1);
  });
});

function simulate(seed: number, rule: string): Promise<{ code: unknown; stdout: string }> {
  const args = ['--conditions=sluice-source', '--import', SABOTAGE, MAIN, '--seed', String(seed), '--minutes', '1'];
  const env = { ...process.env, SLUICE_TEST_SABOTAGE: rule };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout) => resolve({ code: error?.code, stdout }));
  });
}
