import { describe, expect, it } from 'vitest';
import { stuckFrom } from './fair.ts';
import { type Found, search } from './search.ts';
import type { State } from './state.ts';
import { traceOf } from './trace.ts';
import { RULES, type Rule, type World, type WorldOptions, world } from './world.ts';
import { NEEDED_IN } from './worlds.ts';

const MOST_STATES = 300_000;

/** Without the rule: a state that must not be, or one from which not everything ends. */
function firstViolation(broken: World): Found | undefined {
  return search(broken, { states: MOST_STATES }).found ?? firstStuck(broken);
}

function firstStuck(broken: World): Found | undefined {
  let stuck: Found | undefined;
  const visit = (state: State) => {
    stuck ??= stuckFrom(state, broken);
  };
  search(broken, { states: MOST_STATES, visit, until: () => stuck !== undefined });
  return stuck;
}

describe('a rule that is switched off brings a violation back', () => {
  it.each(Object.entries(NEEDED_IN) as [Rule, WorldOptions][])('%s', (rule, options) => {
    const broken = world({ ...options, off: [rule] });
    const found = firstViolation(broken);
    expect(found?.violation, RULES[rule]).toMatch(/^\([abcde]/);
    expect(
      traceOf(found as Found, broken)
        .split('\n')
        .at(-1),
    ).toBe(`  => ${found?.violation}`);
  });

  it.each(Object.entries(NEEDED_IN))('and none is found while it is on: the world of %s', (_rule, options) => {
    const { found } = search(world(options), { states: 30_000 });
    expect(found && traceOf(found, world(options))).toBeUndefined();
  });
});

describe('the check of the incarnation inside the scripts', () => {
  it.each([
    { budget: { restart: 1, lostRequest: 1 } },
    { budget: { restore: 1 } },
    { records: 1, budget: { restore: 1, rebalance: 1 } },
  ])('is a second defence: polls find the loss without it (%j)', (options) => {
    const broken = world({ ...options, off: ['incarnationCheck'] });
    const { found } = search(broken, { states: MOST_STATES });
    expect(found && traceOf(found, broken)).toBeUndefined();
  });

  it('is needed where nobody polls', () => {
    const broken = world({ budget: { restart: 1, restore: 1 }, off: ['incarnationCheck', 'poll'] });
    expect(firstStuck(broken)?.violation).toMatch(/^\(e\)/);
  });
});
