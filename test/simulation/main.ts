/**
 * Simulates for longer: `npm run simulation -- --minutes 10 --seed 1`, one world after the other, the first of this seed.
 * The first violation is printed with what led to it, and ends with exit code 1: its seed brings it back.
 */
import { longRun } from '../support/long-run.ts';
import { live } from './world.ts';

const { seed: first, end } = longRun('simulation');
let batches = 0;
let calls = 0;
let seed = first;
do {
  const lived = await live(seed);
  batches += lived.batches;
  calls += lived.calls;
  if (lived.trace !== undefined) {
    process.stdout.write(`world of seed ${seed}: a violation\n${lived.trace}\n`);
    process.exit(1);
  }
  seed += 1;
} while (Date.now() < end);
process.stdout.write(`no violation in ${seed - first} worlds: ${batches} batches, ${calls} calls to Redis\n`);
