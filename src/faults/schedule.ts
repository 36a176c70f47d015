/** Which faults a run has, in which order: drawn from the seed alone, so that a seed says it all. */
import type { Kind } from './kinds/kind.ts';
import { createRandom } from './random.ts';

const FAULTS_A_MINUTE = 5;
const PAIRED_SHARE = 0.3;

/** One fault, or two of different areas at once. */
export type Round = readonly Kind[];

/** Every kind comes once before any comes again; those that are last come at the end, once. */
export function planRounds(seed: number, minutes: number, kinds: readonly Kind[]): Round[] {
  const random = createRandom(seed);
  const count = Math.max(1, Math.ceil(minutes * FAULTS_A_MINUTE));
  const [usual, last] = [kinds.filter(({ isLast }) => !isLast), kinds.filter(({ isLast }) => isLast)];
  const drawn: Kind[] = [];
  const usualCount = usual.length === 0 ? 0 : Math.max(1, count - last.length);
  while (drawn.length < usualCount) drawn.push(...shuffled(usual, random));
  const rounds = paired(drawn.slice(0, usualCount), random);
  const ending = last.slice(0, Math.max(usual.length === 0 ? 1 : 0, count - usualCount)).map((kind) => [kind]);
  return [...rounds, ...ending];
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as T);
}

/** Some of them two at a time, where both can be. */
function paired(kinds: readonly Kind[], random: () => number): Kind[][] {
  const rounds: Kind[][] = [];
  for (const kind of kinds) {
    const before = rounds.at(-1);
    if (before !== undefined && random() < PAIRED_SHARE && goTogether(before, kind)) before.push(kind);
    else rounds.push([kind]);
  }
  return rounds;
}

function goTogether(before: readonly Kind[], { area }: Kind): boolean {
  const [first, second] = before;
  return second === undefined && first?.area !== area && first?.area !== 'everything' && area !== 'everything';
}
