/**
 * Searches for longer: `npm run model -- --minutes 10 --seed 1`. First every world with all rules on, each as far as
 * its share of the time and of the memory reaches; then random walks through the large ones. Prints the states
 * explored; a violation is printed with its way, and ends with exit code 1.
 */
import { createRandom } from '../../src/faults/random.ts';
import { longRun } from '../support/long-run.ts';
import { stuckFrom } from './fair.ts';
import { type Found, search } from './search.ts';
import { traceOf } from './trace.ts';
import { walk } from './walk.ts';
import { type World, world } from './world.ts';
import { ALL_RULES, LARGE } from './worlds.ts';

/** With their way and the states at the search's edge, 3 GB. */
const MOST_STATES = 2_500_000;
const FAIR_EVERY = 100;
const WALK_STEPS = 250;

const { minutes, seed, end } = longRun('model');

function report(name: string, found: Found | undefined, whole: World): void {
  if (found === undefined) return;
  process.stdout.write(`\n${name}: a violation\n${traceOf(found, whole)}\n`);
  process.exit(1);
}

function searchAll(): number {
  const worlds = Object.entries(ALL_RULES);
  let total = 0;
  for (const [i, [name, options]] of worlds.entries()) {
    const started = Date.now();
    // Half of the time is for the walks.
    const share = (end - started - minutes * 30_000) / (worlds.length - i);
    const whole = world(options);
    let visited = 0;
    let fair = 0;
    const { states, isComplete, found } = search(whole, {
      states: MOST_STATES,
      until: () => Date.now() - started > share,
      visit: (state) => {
        if (visited++ % FAIR_EVERY !== 0) return;
        fair++;
        report(name, stuckFrom(state, whole), whole);
      },
    });
    report(name, found, whole);
    total += states;
    const seconds = ((Date.now() - started) / 1_000).toFixed(1);
    process.stdout.write(
      `${name}: ${states} states${isComplete ? ', all there are' : ''}, ${fair} of them to the end, ${seconds} s\n`,
    );
  }
  return total;
}

function walkUntilEnd(): number {
  const random = createRandom(seed);
  let total = 0;
  let walks = 0;
  while (Date.now() < end) {
    for (const [name, options] of Object.entries(LARGE)) {
      const whole = world(options);
      const { steps, found } = walk(whole, WALK_STEPS, random);
      report(`random walk ${walks} of seed ${seed}, ${name}`, found, whole);
      total += steps;
      walks++;
    }
  }
  process.stdout.write(`${walks} random walks of seed ${seed}: ${total} steps\n`);
  return total;
}

const states = searchAll();
const steps = walkUntilEnd();
process.stdout.write(`no violation in ${states} states and ${steps} random steps\n`);
