/**
 * Redis's account of what a host holds, against the host's own. They differ where the reply to a taking was lost, and where
 * a host was away for so long that others took its jobs.
 */
import type { SidekiqSource, Taken } from '../../queue/sidekiq/source.ts';
import type { Held } from './sidekiq-runs.ts';

export interface Differences {
  /** Jobs that Redis counts to this host, and that it does not run. */
  readonly strays: readonly Taken[];
  /** Jobs that run here, and are another host's by now. */
  readonly lost: readonly Held[];
}

/** Not while jobs are being taken. What ends meanwhile may be told as a stray; putting it back finds nothing then. */
export async function differences(
  source: SidekiqSource,
  queues: readonly string[],
  held: ReadonlySet<Held>,
): Promise<Differences> {
  const heldOf = (queue: string) => [...held].filter((each) => each.queue === queue);
  const counts = await source.counts(queues);
  const differing = queues.filter((queue, i) => {
    const here = heldOf(queue);
    const running = here.filter(({ isEnding }) => !isEnding).length;
    const there = counts[i] as number;
    return there < running || there > here.length;
  });
  const found = await Promise.all(
    differing.map(async (queue) => compared(queue, await source.list(queue), heldOf(queue))),
  );
  return { strays: found.flatMap(({ strays }) => strays), lost: found.flatMap(({ lost }) => lost) };
}

/** Equal texts are equal jobs: only how many there are of each can differ. */
function compared(queue: string, listed: readonly Buffer[], held: readonly Held[]): Differences {
  const here = Map.groupBy(held, ({ raw }) => raw.toString('base64'));
  const strays = listed.filter((raw) => here.get(raw.toString('base64'))?.pop() === undefined);
  const lost = [...here.values()].flat().filter(({ isEnding }) => !isEnding);
  return { strays: strays.map((raw) => ({ queue, raw })), lost };
}
