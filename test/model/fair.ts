/**
 * Liveness: from a state on, nothing goes wrong any more, and of the steps that are possible and change something the
 * one that has waited longest is taken. A system that is live ends with everything committed.
 */
import { fingerprintOf } from './fingerprint.ts';
import type { Found, Step } from './search.ts';
import { copyOf } from './start.ts';
import type { State } from './state.ts';
import { harmlessSteps, isThrough, violation } from './steps.ts';
import { NO_FAULTS, type World } from './world.ts';

const ENOUGH_STEPS = 600;

/** Why it does not end, with what happens instead; undefined when it does. */
export function stuckFrom(start: State, world: World): Found | undefined {
  const lastTaken = new Map<string, number>();
  const way: Step[] = [];
  let state = { ...copyOf(start), budget: NO_FAULTS };
  while (way.length < ENOUGH_STEPS) {
    if (isThrough(state, world)) return undefined;
    const taken = longestWaiting(state, world, lastTaken);
    if (taken === undefined) return { violation: '(e) nothing can happen any more, and not everything has ended', way };
    lastTaken.set(taken.who + taken.what, way.push(taken));
    const broken = violation(taken.state, world);
    if (broken !== '') return { violation: broken, way };
    state = taken.state;
  }
  return { violation: `(e) after ${ENOUGH_STEPS} steps without a fault not everything has ended`, way };
}

function longestWaiting(state: State, world: World, lastTaken: ReadonlyMap<string, number>): Step | undefined {
  const present = fingerprintOf(state);
  let best: Step | undefined;
  let bestTaken = Number.POSITIVE_INFINITY;
  harmlessSteps(state, world, (who, what, change) => {
    const taken = lastTaken.get(who + what) ?? 0;
    if (taken >= bestTaken) return;
    const next = copyOf(state);
    change(next);
    if (fingerprintOf(next) === present) return;
    best = { who, what, state: next };
    bestTaken = taken;
  });
  return best;
}
