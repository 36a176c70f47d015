/**
 * Lost: an acked record that neither ran to its end nor has a letter, and an event that its worker gave away with
 * success and the receiver never got. Given up: a record that only ended as a letter, though nothing was wrong with it.
 */
import { type Line, type Place, placeKey } from '../history.ts';
import type { Finding } from './findings.ts';

export function findLost(history: readonly Line[]): Finding[] {
  const finished = new Set<string>();
  const arrived = new Set<string>();
  for (const line of history) {
    if (isFinish(line)) finished.add(placeKey(line));
    if (line.is === 'arrived') arrived.add(line.id);
  }
  const done = new Set(
    history.flatMap((line) => (line.is === 'end' && line.outcome === 'done' ? [placeKey(line)] : [])),
  );
  return history.flatMap((line): Finding[] => {
    if (line.is !== 'acked') return [];
    const key = placeKey(line);
    if (!finished.has(key)) return [{ what: `${key} was acked, and never finished`, lines: [line] }];
    if (!line.track || !done.has(key) || arrived.has(line.id)) return [];
    return [{ what: `${key} is done, and its event ${line.id} never arrived`, lines: [line] }];
  });
}

export function findGivenUp(history: readonly Line[]): Finding[] {
  const done = new Set(history.filter((line) => line.is === 'end' && line.outcome === 'done').map(keyOf));
  const letters = new Map(history.filter(({ is }) => is === 'letter').map((line) => [keyOf(line), line]));
  return history.flatMap((line): Finding[] => {
    if (line.is !== 'acked' || line.isDoomed) return [];
    const letter = letters.get(placeKey(line));
    if (letter === undefined || done.has(placeKey(line))) return [];
    return [{ what: `${placeKey(line)} is a dead letter, and nothing is wrong with it`, lines: [line, letter] }];
  });
}

function keyOf(line: Line): string {
  return placeKey(line as Line & Place);
}

/** How a record ends: its job ran to its end, or it is a dead letter. */
export function isFinish(line: Line): line is Line & { is: 'end' | 'letter' } {
  return line.is === 'letter' || (line.is === 'end' && line.outcome === 'done');
}
