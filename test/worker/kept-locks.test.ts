import type { LockManager } from 'bullmq';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HeldJob } from '../../src/worker/hosts/held-job.ts';
import { KeptLocks } from '../../src/worker/hosts/kept-locks.ts';

const run = (token: string, isLocked = true, id = 'job') => ({ id, token, isLocked }) as HeldJob;
const manager = { trackJob: vi.fn(), untrackJob: vi.fn() };
const lock = vi.fn();
const emit = vi.fn();
let locks: KeptLocks;

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetAllMocks();
  lock.mockImplementation(async (jobs: readonly HeldJob[]) => jobs.map(() => true));
  locks = new KeptLocks(manager as unknown as LockManager, { lock }, { emit });
  locks.start();
});

afterEach(() => {
  locks.stop();
  vi.useRealTimers();
});

const renewed = () => manager.trackJob.mock.calls.map(([, token]) => token);
const lastUntracked = () => manager.untrackJob.mock.invocationCallOrder.at(-1) ?? 0;
const lastTracked = () => manager.trackJob.mock.invocationCallOrder.at(-1) ?? 0;

describe('locks', () => {
  const [first, second] = [run('first'), run('second')];

  it('are kept for the run that came last, whatever becomes of the one before', () => {
    locks.keep(first);
    locks.keep(second);
    locks.leave(first);
    locks.keepOn([first]);
    expect(renewed()).toEqual(['first', 'second']);
    expect(lastUntracked()).toBeLessThan(lastTracked());
    locks.leave(second);
    expect(lastUntracked()).toBeGreaterThan(lastTracked());
  });

  it('are kept on for a run that is over while its completion is refused', () => {
    locks.keep(first);
    locks.leave(first);
    locks.keepOn([first]);
    expect(renewed()).toEqual(['first', 'first']);
    expect(lastUntracked()).toBeLessThan(lastTracked());
    locks.leave(first);
    expect(lastUntracked()).toBeGreaterThan(lastTracked());
  });
});

describe('a job that was taken without a lock', () => {
  const asked = () => lock.mock.calls.map(([jobs]) => jobs.map(({ token }: HeldJob) => token));

  it.each([
    ['that does not answer yet', () => new Promise(() => {})],
    ['that says it is lost', async () => [false]],
  ])('is asked for once of a Redis %s', async (_, answer) => {
    lock.mockImplementation(answer);
    locks.keep(run('a', false));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked()).toEqual([['a']]);
  });

  it('is locked when it has run for half a second, all that have in one call, and is renewed from then on', async () => {
    locks.keep(run('a', false, 'one'));
    locks.keep(run('b', false, 'two'));
    await vi.advanceTimersByTimeAsync(500);
    locks.keep(run('c', false, 'three'));
    expect([asked(), renewed()]).toEqual([[], []]);
    await vi.advanceTimersByTimeAsync(500);
    expect([asked(), renewed()]).toEqual([[['a', 'b']], ['a', 'b']]);
    await vi.advanceTimersByTimeAsync(500);
    expect(asked()).toEqual([['a', 'b'], ['c']]);
  });

  it('is never locked when it has ended by then', async () => {
    const [young, old] = [run('a', false, 'one'), run('b', false, 'two')];
    locks.keep(old);
    await vi.advanceTimersByTimeAsync(500);
    locks.keep(young);
    locks.leave(young);
    locks.leave(old);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(asked()).toEqual([]);
  });

  it('is locked before, and once, when something is to be written of it', async () => {
    const held = run('a', false);
    locks.keep(held);
    expect(await locks.own(held)).toBe(true);
    expect(await locks.own(held)).toBe(true);
    await vi.advanceTimersByTimeAsync(2_000);
    expect([asked(), renewed()]).toEqual([[['a']], ['a']]);
  });

  it("is told as lost when it is another's by now", async () => {
    lock.mockResolvedValue([false, true]);
    const lost = run('a', false, 'one');
    locks.keep(lost);
    locks.keep(run('b', false, 'two'));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(emit.mock.calls).toEqual([['lockRenewalFailed', ['one']]]);
    expect(renewed()).toEqual(['b']);
    expect(await locks.own(lost)).toBe(false);
  });

  it('is not told as lost when it ends, or is run anew, while its lock is asked for', async () => {
    const { promise, resolve } = Promise.withResolvers<boolean[]>();
    lock.mockReturnValueOnce(promise);
    const [ended, before] = [run('a', false, 'one'), run('b', false, 'two')];
    locks.keep(ended);
    locks.keep(before);
    await vi.advanceTimersByTimeAsync(1_000);
    locks.leave(ended);
    locks.keep(run('c', true, 'two'));
    resolve([false, true]);
    await vi.advanceTimersByTimeAsync(0);
    expect([emit.mock.calls, renewed()]).toEqual([[], ['c']]);
  });

  it('is not locked for a run that another run of the job has followed, or that is over', async () => {
    const [first, over] = [run('a', false, 'one'), run('c', false, 'two')];
    locks.keep(first);
    locks.keep(run('b', false, 'one'));
    locks.keep(over);
    locks.leave(over);
    expect([await locks.own(first), await locks.own(over), asked()]).toEqual([false, false, []]);
  });

  it('is locked at once when it is over and its completion is refused', async () => {
    const held = run('a', false);
    locks.keep(held);
    locks.leave(held);
    locks.keepOn([held]);
    await vi.advanceTimersByTimeAsync(0);
    expect([asked(), renewed()]).toEqual([[['a']], ['a']]);
  });

  it('is not asked for again when it ended while Redis did not answer', async () => {
    lock.mockImplementationOnce(async ([held]: readonly HeldJob[]) => {
      locks.leave(held as HeldJob);
      throw new Error('away');
    });
    locks.keep(run('a', false));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked()).toEqual([['a']]);
  });

  it('is not looked for any more by a host that has stopped', async () => {
    locks.keep(run('a', false));
    locks.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked()).toEqual([]);
  });

  it('is asked for again when Redis did not answer', async () => {
    lock.mockRejectedValueOnce(new Error('away'));
    locks.keep(run('a', false));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(emit.mock.calls).toEqual([['error', new Error('away')]]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect([asked(), renewed()]).toEqual([[['a'], ['a']], ['a']]);
  });
});

describe('whether jobs may be taken without a lock', () => {
  it('is not known in the first second', async () => {
    expect(locks.areLater).toBe(false);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(locks.areLater).toBe(true);
  });

  async function block(ms: number) {
    const now = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
    await vi.advanceTimersByTimeAsync(500);
    return clock;
  }

  it('is still so when the event loop was busy for a while', async () => {
    await vi.advanceTimersByTimeAsync(2_000);
    const clock = await block(900);
    expect(locks.areLater).toBe(true);
    clock.mockRestore();
  });

  it('is no longer so for ten minutes once the event loop was blocked', async () => {
    await vi.advanceTimersByTimeAsync(2_000);
    const clock = await block(1_400);
    expect(locks.areLater).toBe(false);
    await vi.advanceTimersByTimeAsync(599_000);
    expect(locks.areLater).toBe(false);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(locks.areLater).toBe(true);
    clock.mockRestore();
  });
});
