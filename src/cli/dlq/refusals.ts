/** Why letters are not dealt with, as the commands tell it. */
const MOST_TOLD = 20;

/** By their ids. */
export type Refusals = ReadonlyMap<string, string>;

export function refusalLines(refused: Refusals): string[] {
  const told = [...refused].slice(0, MOST_TOLD).map(([id, why]) => `${id} refused: ${why}`);
  return refused.size > MOST_TOLD ? [...told, `... and ${refused.size - MOST_TOLD} more refused`] : told;
}

export function refusalList(refused: Refusals): { id: string; why: string }[] {
  return [...refused].map(([id, why]) => ({ id, why }));
}
