import type { LockManager } from 'bullmq';
import { beforeEach, expect, it, vi } from 'vitest';
import { KeptLocks } from '../../src/worker/hosts/kept-locks.ts';

const FIRST = { id: 'job', token: 'first' };
const SECOND = { id: 'job', token: 'second' };
const manager = { trackJob: vi.fn(), untrackJob: vi.fn() };
let locks: KeptLocks;

beforeEach(() => {
  vi.clearAllMocks();
  locks = new KeptLocks(manager as unknown as LockManager);
});

const kept = () => manager.trackJob.mock.calls.map(([, token]) => token);

it('keeps the lock of the run that came last, whatever becomes of the one before', () => {
  locks.keep(FIRST);
  locks.keep(SECOND);
  locks.leave(FIRST);
  locks.keepOn(FIRST);
  expect([kept(), manager.untrackJob.mock.calls]).toEqual([['first', 'second'], []]);
  locks.leave(SECOND);
  expect(manager.untrackJob).toHaveBeenCalledExactlyOnceWith('job');
});

it('keeps on the lock of a run that is over while its completion is refused', () => {
  locks.keep(FIRST);
  locks.leave(FIRST);
  locks.keepOn(FIRST);
  locks.leave(FIRST);
  expect([kept(), manager.untrackJob.mock.calls]).toEqual([
    ['first', 'first'],
    [['job'], ['job']],
  ]);
});
