/** Breadth-first search over the states of a world: the first violation found has the shortest way to it. */
import { fingerprintOf } from './fingerprint.ts';
import { copyOf, initialState } from './start.ts';
import type { State } from './state.ts';
import { steps, violation } from './steps.ts';
import type { World } from './world.ts';

export interface Step {
  readonly who: string;
  readonly what: string;
  readonly state: State;
}

export interface Found {
  readonly violation: string;
  readonly way: readonly Step[];
}

export interface Searched {
  readonly states: number;
  /** Whether no state is left that was not looked at. */
  readonly isComplete: boolean;
  readonly found: Found | undefined;
}

export interface SearchLimits {
  readonly states?: number;
  readonly until?: () => boolean;
  /** Called with every new state. */
  readonly visit?: (state: State) => void;
}

/** How each state was come upon: from which one, and by which of its steps. */
interface Origins {
  readonly from: number[];
  readonly step: number[];
}

export function search(world: World, { states = 1e7, until = () => false, visit }: SearchLimits = {}): Searched {
  const first = initialState(world);
  const seen = new Set([fingerprintOf(first)]);
  const origins: Origins = { from: [-1], step: [-1] };
  let level: State[] = [first];
  for (let base = 0; level.length > 0; ) {
    const nextLevel: State[] = [];
    for (const [i, state] of level.entries()) {
      let ordinal = 0;
      let bad = '';
      steps(state, world, (_who, _what, change) => {
        if (bad !== '') return;
        const next = copyOf(state);
        change(next);
        const print = fingerprintOf(next);
        const step = ordinal++;
        if (seen.has(print)) return;
        seen.add(print);
        origins.from.push(base + i);
        origins.step.push(step);
        nextLevel.push(next);
        visit?.(next);
        bad = violation(next, world);
      });
      if (bad !== '') {
        return { states: seen.size, isComplete: false, found: { violation: bad, way: wayTo(world, origins) } };
      }
    }
    if (seen.size >= states || until())
      return { states: seen.size, isComplete: nextLevel.length === 0, found: undefined };
    base += level.length;
    level = nextLevel;
  }
  return { states: seen.size, isComplete: true, found: undefined };
}

/** The way to the state come upon last, walked anew. */
function wayTo(world: World, { from, step }: Origins): Step[] {
  const ordinals: number[] = [];
  for (let at = from.length - 1; at > 0; at = from[at] as number) ordinals.unshift(step[at] as number);
  const way: Step[] = [];
  let state = initialState(world);
  for (const wanted of ordinals) {
    const taken = nthStep(state, world, wanted);
    way.push(taken);
    state = taken.state;
  }
  return way;
}

function nthStep(state: State, world: World, wanted: number): Step {
  let ordinal = 0;
  let taken: Step | undefined;
  steps(state, world, (who, what, change) => {
    if (ordinal++ !== wanted) return;
    const next = copyOf(state);
    change(next);
    taken = { who, what, state: next };
  });
  if (taken === undefined)
    throw new Error('a step of the way is not possible: the steps depend on more than the state');
  return taken;
}
