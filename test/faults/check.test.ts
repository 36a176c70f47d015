/** The checker on histories written by hand: each violation is found, and what only looks like one is not. */
import { describe, expect, it } from 'vitest';
import { check } from '../../src/faults/check/check.ts';
import { isViolated, reportLines } from '../../src/faults/check/report.ts';
import type { Fact, Line } from '../../src/faults/history.ts';

const MIB = 1_048_576;
const RUN: Fact = { is: 'run', seed: 7, minutes: 1, closeAtBytes: 10 * MIB, commitEveryMs: 1_000 };

/** Facts, a second apart. */
function history(...facts: readonly Fact[]): Line[] {
  return [RUN, ...facts].map((fact, i) => ({ at: 1_000 * i, ...fact }));
}

const at = (offset: number) => ({ topic: 't', partition: 0, offset });
const acked = (offset: number): Fact => ({ is: 'acked', id: `id-${offset}`, ...at(offset) });
const run = (is: 'start' | 'end', offset: number, host: 'sluice' | 'stock' = 'sluice'): Fact => ({
  is,
  id: `id-${offset}`,
  host,
  pid: 1,
  attempt: 1,
  ...at(offset),
  ...(is === 'end' && { outcome: 'done' as const }),
});
const ran = (offset: number): Fact[] => [run('start', offset), run('end', offset)];
const committed = (offset: number, letters = 0): Fact => ({ is: 'committed', metadata: '', letters, ...at(offset) });
const letter = (offset: number, number: number): Fact => ({
  is: 'letter',
  letter: number,
  reason: 'dead',
  ...at(offset),
});
const added = (branch: number, job: string, entry: string): Fact => ({ is: 'added', branch, queue: 'q', job, entry });

describe('lost', () => {
  it('is an acked record that is neither done nor a letter', () => {
    const { verdict, violations } = check(history(acked(0), acked(1), acked(2), ...ran(0), letter(1, 0)));
    expect(verdict).toMatchObject({ records: 3, lost: 1 });
    expect(violations.lost?.[0]?.lines).toMatchObject([{ is: 'acked', offset: 2 }]);
  });

  it('is no record whose run failed and was done later, nor one that Kafka never acked', () => {
    const failed: Fact = { ...(run('end', 0) as Fact & { is: 'end' }), outcome: 'failed' };
    expect(check(history(acked(0), run('start', 0), failed, ...ran(0), ...ran(9))).verdict.lost).toBe(0);
    expect(check(history(acked(0), run('start', 0), failed)).verdict.lost).toBe(1);
  });

  it('is an event that its worker gave away and nobody received', () => {
    const tracked: Fact = { ...(acked(0) as Fact & { is: 'acked' }), track: true };
    expect(check(history(tracked, ...ran(0))).verdict.lost).toBe(1);
    expect(check(history(tracked, ...ran(0), { is: 'arrived', id: 'id-0' })).verdict.lost).toBe(0);
  });
});

describe('given up', () => {
  it('is a record that ended as a letter and was not doomed to', () => {
    const doomed: Fact = { ...(acked(0) as Fact & { is: 'acked' }), isDoomed: true };
    expect(check(history(doomed, letter(0, 0))).verdict).toMatchObject({ givenUp: 0, lost: 0 });
    expect(check(history(acked(0), letter(0, 0))).verdict).toMatchObject({ givenUp: 1, lost: 0 });
    expect(check(history(acked(0), ...ran(0), letter(0, 0))).verdict.givenUp).toBe(0);
  });
});

describe('created twice', () => {
  it('is the same job twice in one history of Redis', () => {
    const { verdict, violations } = check(
      history({ is: 'branch', branch: 1 }, added(1, 'a', '5-0'), added(1, 'a', '6-0')),
    );
    expect(verdict.createdTwice).toBe(1);
    expect(violations.createdTwice?.[0]?.lines).toMatchObject([{ entry: '5-0' }, { entry: '6-0' }]);
  });

  it('is not the same job after a wipe', () => {
    const wiped = history(
      { is: 'branch', branch: 1 },
      added(1, 'a', '5-0'),
      { is: 'branch', branch: 2 },
      added(2, 'a', '9-0'),
    );
    expect(check(wiped).verdict.createdTwice).toBe(0);
  });

  it('counts after a restore what was created before the snapshot, and not what was behind it', () => {
    const restored = (job: string) =>
      history(
        { is: 'branch', branch: 1 },
        added(1, 'before', '5-3'),
        added(1, 'behind', '5-20'),
        { is: 'branch', branch: 2, parent: 1, upTo: { q: '5-10' } },
        added(2, job, '9-0'),
      );
    expect(check(restored('behind')).verdict.createdTwice).toBe(0);
    expect(check(restored('before')).verdict.createdTwice).toBe(1);
  });
});

describe('committed too far', () => {
  it('is a commit above a record that is not finished at that time, though it is later', () => {
    const early = history(acked(0), acked(1), ...ran(0), committed(2), ...ran(1));
    expect(check(early).verdict).toMatchObject({ committedTooFar: 1, lost: 0 });
    expect(check(history(acked(0), acked(1), ...ran(0), ...ran(1), committed(2))).verdict.committedTooFar).toBe(0);
  });

  it('is a commit above a record whose letter was not there yet', () => {
    expect(check(history(acked(0), committed(1, 0), letter(0, 0))).verdict.committedTooFar).toBe(1);
    // Letters are read by another client, later; the end of their topic tells that it was there.
    expect(check(history(acked(0), committed(1, 1), letter(0, 0))).verdict.committedTooFar).toBe(0);
    // A loss of Redis may bring the letter again.
    expect(check(history(acked(0), letter(0, 0), committed(1, 1), letter(0, 1))).verdict.committedTooFar).toBe(0);
  });
});

describe('rerun after finished', () => {
  it('is a run of a record that was recorded for longer than a commit takes', () => {
    const late = history(acked(0), ...ran(0), committed(1), { is: 'arrived', id: '' }, run('start', 0), run('end', 0));
    expect(check(late).verdict).toMatchObject({ rerunAfterFinished: 1, runsAgain: 1 });
    const soon = history(acked(0), ...ran(0), committed(1), run('start', 0));
    expect(check(soon).verdict.rerunAfterFinished).toBe(0);
  });

  it('is counted apart for stock workers', () => {
    const late = history(acked(0), ...ran(0), committed(1), { is: 'arrived', id: '' }, run('start', 0, 'stock'));
    const checked = check(late);
    expect(checked.verdict).toMatchObject({ rerunAfterFinished: 0, stockRerunAfterFinished: 1 });
    expect(isViolated(checked)).toBe(false);
  });
});

describe('above the ceiling', () => {
  it('is memory beyond the threshold and two batches a bridge', () => {
    const memory = (usedBytes: number): Fact => ({ is: 'memory', usedBytes, bridges: 2 });
    expect(check(history(memory(14 * MIB))).verdict.aboveCeiling).toBe(0);
    expect(check(history(memory(14 * MIB + 1))).verdict.aboveCeiling).toBe(1);
  });
});

describe('the verdict', () => {
  it('counts faults and their kinds, and tells the longest recovery of each', () => {
    const fault = (number: number, kind: string, step: 'begin' | 'recovered', seconds?: number): Fact => ({
      is: 'fault',
      fault: number,
      kind,
      step,
      ...(seconds !== undefined && { seconds }),
    });
    const { verdict } = check(
      history(
        fault(1, 'a', 'begin'),
        fault(1, 'a', 'recovered', 2),
        fault(2, 'a', 'begin'),
        fault(2, 'a', 'recovered', 3),
        fault(3, 'b', 'begin'),
        fault(3, 'b', 'recovered', 1),
      ),
    );
    expect(verdict).toMatchObject({ faults: 3, kinds: 2, outOfOrder: null, recoverySeconds: { a: 3, b: 1 } });
  });

  it('tells the recovery of a kind as it is alone, where it ever was', () => {
    const healed = (kind: string, seconds: number, beside?: string[]): Fact => ({
      ...{ is: 'fault', fault: 1, kind, step: 'recovered', seconds },
      ...(beside && { beside }),
    });
    const { verdict } = check(history(healed('a', 2), healed('a', 40, ['b']), healed('b', 40, ['a'])));
    expect(verdict.recoverySeconds).toEqual({ a: 2, b: 40 });
  });

  it('is a violation when a fault does not heal, or something expected does not happen', () => {
    const stuck: Fact = { is: 'fault', fault: 1, kind: 'a', step: 'stuck', seconds: 90 };
    expect(isViolated(check(history(stuck)))).toBe(true);
    expect(isViolated(check(history({ is: 'expected', what: 'it halts', isMet: false })))).toBe(true);
    expect(isViolated(check(history({ is: 'expected', what: 'it halts', isMet: true })))).toBe(false);
  });

  it('shows the lines of what it found', () => {
    const lines = reportLines(check(history(acked(3))));
    expect(lines.join('\n')).toMatch(/lost: t\/0\/3 was acked, and never finished\n {2}\{"at":1000,"is":"acked"/);
  });

  it('is not given without the line of the run', () => {
    expect(() => check([])).toThrow('no line of its run');
  });
});
