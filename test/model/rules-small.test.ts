import { describe, expect, it } from 'vitest';
import { search } from './search.ts';
import { traceOf } from './trace.ts';
import { type Rule, type WorldOptions, world } from './world.ts';

/** For each rule a small world in which it is needed. */
const NEEDED: Partial<Record<Rule, WorldOptions>> = {
  ledgerSkip: { budget: { lostReply: 1 } },
  expectedCheck: { budget: { lostRequest: 1 } },
  rewindOnLoss: { budget: { flush: 1 } },
  letterFirst: { rejected: 1, budget: { bridgeCrash: 1 } },
  checkedLook: { budget: { flush: 1 } },
  letterBeforeRemoval: { budget: { jobDies: 1 } },
  commitLowest: {},
  dropFinished: { budget: { restart: 1 } },
  reconcile: { budget: { restore: 1 } },
  guard: { budget: { restore: 1 } },
};

describe('without a rule, the search finds a violation, and with it none:', () => {
  it.each(Object.entries(NEEDED))('%s', (rule, options) => {
    const broken = world({ ...options, off: [rule as Rule] });
    const { found } = search(broken);
    expect(found?.violation).toMatch(/^\([abcd]/);
    if (found !== undefined) expect(traceOf(found, broken)).toContain(found.violation);
    const { found: none } = search(world(options), { states: 20_000 });
    expect(none && traceOf(none, world(options))).toBeUndefined();
  });
});
