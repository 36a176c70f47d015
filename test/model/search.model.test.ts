import { describe, expect, it } from 'vitest';
import { createRandom } from '../../src/faults/random.ts';
import { stuckFrom } from './fair.ts';
import { type Found, search } from './search.ts';
import { traceOf } from './trace.ts';
import { walk } from './walk.ts';
import { world } from './world.ts';
import { ALL_RULES, LARGE } from './worlds.ts';

const MOST_STATES = 60_000;
const FAIR_EVERY = 50;
const WALKS = 40;
const WALK_STEPS = 150;

describe('with all rules on', () => {
  it.each(Object.entries(ALL_RULES))('no state is wrong, and from each everything ends: %s', (_name, options) => {
    const whole = world(options);
    let states = 0;
    let stuck: Found | undefined;
    const { found = stuck } = search(whole, {
      states: MOST_STATES,
      visit: (state) => {
        if (states++ % FAIR_EVERY === 0) stuck ??= stuckFrom(state, whole);
      },
    });
    expect(found && traceOf(found, whole)).toBeUndefined();
    expect(stuck && traceOf(stuck, whole)).toBeUndefined();
  });

  it.each(Object.entries(LARGE))('random walks meet nothing wrong: %s', (_name, options) => {
    const whole = world(options);
    for (let seed = 1; seed <= WALKS; seed++) {
      const { found } = walk(whole, WALK_STEPS, createRandom(seed));
      expect(found && `seed ${seed}\n${traceOf(found, whole)}`).toBeUndefined();
    }
  });
});

/** Known: docs/model.md, "Found". */
describe('a snapshot of Redis that is older than the topic', () => {
  const options = { records: 1, budget: { topicAnew: 1, flush: 1, restore: 1 } };

  it('is believed, when Redis was empty while the topic was made anew', () => {
    expect(search(world(options)).found?.violation).toMatch(/^\(a, c\)/);
  });

  it('would be told by a ledger that carries the generation of its topic', () => {
    const whole = world({ ...options, knowsGeneration: true });
    const { found, isComplete } = search(whole);
    expect(found && traceOf(found, whole)).toBeUndefined();
    expect(isComplete).toBe(true);
  });
});
