/** Random walks through worlds that are too large to be searched, and a violation's way made shorter. */
import { stuckFrom } from './fair.ts';
import type { Found, Step } from './search.ts';
import { copyOf, initialState } from './start.ts';
import type { State } from './state.ts';
import { harmlessSteps, steps, violation } from './steps.ts';
import type { World } from './world.ts';

const FAULT_SHARE = 0.1;

export interface Walked {
  readonly steps: number;
  readonly found: Found | undefined;
}

/** `random`: of [0, 1). Ends in a fair schedule, which must end everything. */
export function walk(world: World, mostSteps: number, random: () => number): Walked {
  const way: Step[] = [];
  let state = initialState(world);
  while (way.length < mostSteps) {
    const all = random() < FAULT_SHARE ? possible(state, world, steps) : possible(state, world, harmlessSteps);
    const taken = all[Math.floor(random() * all.length)];
    if (taken === undefined) break;
    way.push(taken);
    state = taken.state;
    const broken = violation(state, world);
    if (broken !== '') return { steps: way.length, found: shortened({ violation: broken, way }, world) };
  }
  const stuck = stuckFrom(state, world);
  if (stuck === undefined) return { steps: way.length, found: undefined };
  return { steps: way.length, found: { violation: stuck.violation, way: [...way, ...stuck.way] } };
}

function possible(state: State, world: World, which: typeof steps): Step[] {
  const all: Step[] = [];
  which(state, world, (who, what, change) => {
    const next = copyOf(state);
    change(next);
    all.push({ who, what, state: next });
  });
  return all;
}

/** Leaves out whatever the violation does not need: each step in turn, from the last one back. */
function shortened(found: Found, world: World): Found {
  let best = found;
  for (let at = best.way.length - 1; at >= 0; at--) {
    best = again([...best.way.slice(0, at), ...best.way.slice(at + 1)], world) ?? best;
  }
  return best;
}

/** The same steps by name, where they are possible; undefined when nothing breaks. */
function again(wanted: readonly Step[], world: World): Found | undefined {
  const way: Step[] = [];
  let state = initialState(world);
  for (const { who, what } of wanted) {
    const taken = possible(state, world, steps).find((each) => each.who === who && each.what === what);
    if (taken === undefined) continue;
    way.push(taken);
    state = taken.state;
    const broken = violation(state, world);
    if (broken !== '') return { violation: broken, way };
  }
  return undefined;
}
