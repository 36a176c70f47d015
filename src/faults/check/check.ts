/** The checker: reads the history of a run and says what was violated, and how long each kind of fault took to heal. */
import type { Line } from '../history.ts';
import { findAboveCeiling } from './ceiling.ts';
import { findCreatedTwice } from './created-twice.ts';
import type { Finding } from './findings.ts';
import { findGivenUp, findLost } from './lost.ts';
import { checkRecorded } from './recorded.ts';

/** The shape that `--json` prints. */
export interface Verdict {
  /** Of the shape; a change of meaning raises it. */
  readonly version: 1;
  readonly seed: number;
  readonly minutes: number;
  readonly faults: number;
  readonly kinds: number;
  readonly records: number;
  readonly lost: number;
  readonly createdTwice: number;
  readonly rerunAfterFinished: number;
  readonly committedTooFar: number;
  /** Null until a topic asks for order. */
  readonly outOfOrder: number | null;
  readonly aboveCeiling: number;
  /** Dead letters of records that nothing is wrong with. */
  readonly givenUp: number;
  /** Faults that did not heal in time, and expectations that were not met. */
  readonly notHealed: number;
  /** By stock workers, which cannot wait for a bridge: told, and no violation. */
  readonly stockRerunAfterFinished: number;
  /** Runs beyond the first that ended well. */
  readonly runsAgain: number;
  /** By kind, the longest: from the end of a fault until all that was produced before is done and nothing waits for long. */
  readonly recoverySeconds: Readonly<Record<string, number>>;
}

export interface Checked {
  readonly verdict: Verdict;
  readonly violations: Readonly<Record<string, readonly Finding[]>>;
}

export function check(history: readonly Line[]): Checked {
  const run = history.find((line) => line.is === 'run');
  if (run === undefined) throw new Error('the history has no line of its run');
  const recorded = checkRecorded(history, run.commitEveryMs);
  const violations = {
    lost: findLost(history),
    createdTwice: findCreatedTwice(history),
    rerunAfterFinished: recorded.rerunAfterFinished,
    committedTooFar: recorded.committedTooFar,
    aboveCeiling: findAboveCeiling(history, run.closeAtBytes),
    givenUp: findGivenUp(history),
    notHealed: findNotHealed(history),
  };
  const begun = history.filter((line) => line.is === 'fault' && line.step === 'begin');
  const { seed, minutes } = run;
  return {
    violations,
    verdict: {
      version: 1,
      seed,
      minutes,
      faults: begun.length,
      kinds: new Set(begun.map((line) => line.is === 'fault' && line.kind)).size,
      records: history.filter(({ is }) => is === 'acked').length,
      lost: violations.lost.length,
      createdTwice: violations.createdTwice.length,
      rerunAfterFinished: violations.rerunAfterFinished.length,
      committedTooFar: violations.committedTooFar.length,
      outOfOrder: null,
      aboveCeiling: violations.aboveCeiling.length,
      givenUp: violations.givenUp.length,
      notHealed: violations.notHealed.length,
      stockRerunAfterFinished: recorded.stockRerunAfterFinished.length,
      runsAgain: runsAgain(history),
      recoverySeconds: recoverySeconds(history),
    },
  };
}

function findNotHealed(history: readonly Line[]): Finding[] {
  return history.flatMap((line): Finding[] => {
    if (line.is === 'fault' && line.step === 'stuck') return [{ what: `${line.kind} did not heal`, lines: [line] }];
    if (line.is === 'expected' && !line.isMet) return [{ what: `not so: ${line.what}`, lines: [line] }];
    return [];
  });
}

function runsAgain(history: readonly Line[]): number {
  const done = history.flatMap((line) =>
    line.is === 'end' && line.outcome === 'done' ? [`${line.topic}/${line.partition}/${line.offset}`] : [],
  );
  return done.length - new Set(done).size;
}

/** What was measured beside another fault counts only for a kind that never was alone. */
function recoverySeconds(history: readonly Line[]): Record<string, number> {
  const [alone, beside] = [new Map<string, number>(), new Map<string, number>()];
  for (const line of history) {
    if (line.is !== 'fault' || line.step !== 'recovered') continue;
    const longest = line.beside === undefined ? alone : beside;
    longest.set(line.kind, Math.max(longest.get(line.kind) ?? 0, line.seconds ?? 0));
  }
  return Object.fromEntries([...beside, ...alone]);
}
