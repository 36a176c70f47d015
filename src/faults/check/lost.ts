/**
 * Lost: an acked record that neither ran to its end nor has a letter, and an event that its worker gave away with
 * success and the receiver never got.
 */
import { type Line, placeKey } from '../history.ts';
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

/** How a record ends: its job ran to its end, or it is a dead letter. */
export function isFinish(line: Line): line is Line & { is: 'end' | 'letter' } {
  return line.is === 'letter' || (line.is === 'end' && line.outcome === 'done');
}
