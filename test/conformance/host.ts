/** What every worker host must do, whatever queue library it is for. A host's own test says how to make and feed it. */
import { expect, it, vi } from 'vitest';
import type { Outcome, WorkerOptions } from '../../src/definition/worker.ts';
import type { Host } from '../../src/worker/host.ts';

/** A final or waiting job as the queue tells it. */
export interface SeenJob {
  readonly state: string;
  readonly reason: string;
  readonly stack: string;
}

export interface HostUnderTest {
  /** A running host whose worker for `acme.web.v1.PageView` does this. */
  start(options: Omit<WorkerOptions<View>, 'queue'>): Promise<Host>;
  /** Adds a job; answers its id. */
  add(name: string, data: object, options?: object): Promise<string>;
  see(id: string): Promise<SeenJob | undefined>;
  /** Takes a running job from its host, as another host would that believes it dead. */
  loseLock(id: string): Promise<void>;
  /** Makes a waiting job look as if so many hosts had died while they ran it. */
  addDeaths(id: string, deaths: number): Promise<void>;
  /** Starts a host in a process of its own that holds its jobs for ever; resolves when it has started one. */
  startDoomed(): Promise<{ kill(): void }>;
}

export interface View {
  readonly url: string;
}

const TYPE = 'acme.web.v1.PageView';
const SOON = { timeout: 10_000, interval: 20 };
const FAST = { baseMs: 5, maxMs: 10 };

function failedIn(under: () => HostUnderTest) {
  return (id: string) =>
    vi.waitFor(async () => {
      const job = await under().see(id);
      expect(job?.state).toBe('failed');
      return job as SeenJob;
    }, SOON);
}

export function describeHost(under: () => HostUnderTest): void {
  const gone = (id: string) => vi.waitFor(async () => expect(await under().see(id)).toBeUndefined(), SOON);
  const failed = failedIn(under);

  it('runs a job once, with its message checked and completed', async () => {
    const seen: unknown[] = [];
    await under().start({ run: (view) => void seen.push(view) });
    await gone(await under().add(TYPE, { url: 'https://x/1', bytes: '9007199254740993' }));
    expect(seen).toMatchObject([{ url: 'https://x/1', bytes: 9007199254740993n, title: '' }]);
  });

  it('tries again after a throw, and after retry(), counting attempts from 1', async () => {
    const attempts: number[] = [];
    await under().start({
      attempts: 3,
      backoff: FAST,
      run: (_view, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error('first');
        return attempt === 2 ? { kind: 'retry', reason: 'second', afterMs: 1 } : undefined;
      },
    });
    await gone(await under().add(TYPE, {}));
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('leaves a job whose attempts are exhausted with the reason and the stack of the last', async () => {
    let runs = 0;
    await under().start({
      attempts: 3,
      backoff: FAST,
      run: () => {
        runs += 1;
        throw new Error(`no luck ${runs}`);
      },
    });
    const job = await failed(await under().add(TYPE, {}));
    expect(runs).toBe(3);
    expect(job.reason).toBe('no luck 3');
    expect(job.stack).toContain('conformance/host.ts');
  });

  it.each([
    ['text', 'text'],
    ['undefined', undefined],
    ['a thrown object', Object.create(null) as unknown],
  ])('reads a reason from whatever is thrown: %s', async (reason, thrown) => {
    await under().start({
      attempts: 1,
      run: () => {
        throw thrown;
      },
    });
    expect((await failed(await under().add(TYPE, {}))).reason).toBe(reason);
  });

  it.each([
    ['snooze', { kind: 'snooze', afterMs: -1 }],
    ['snooze', { kind: 'snooze' }],
    ['retry', { kind: 'retry', reason: 'x', afterMs: Number.NaN }],
  ])('counts a %s that cannot be carried out as a failure: %j', async (kind, outcome) => {
    await under().start({ attempts: 1, run: () => outcome as Outcome });
    expect((await failed(await under().add(TYPE, {}))).reason).toContain(`the worker returned ${kind} with afterMs`);
  });

  it('fires the signal when the lock is lost', async () => {
    const started = Promise.withResolvers<void>();
    const reason = Promise.withResolvers<unknown>();
    await under().start({
      run: (_view, { signal }) => {
        started.resolve();
        signal.addEventListener('abort', () => reason.resolve(signal.reason));
        return new Promise(() => undefined);
      },
    });
    const id = await under().add(TYPE, {});
    await started.promise;
    await under().loseLock(id);
    expect(await reason.promise).toMatchObject({
      code: 'STOPPED',
      message: expect.stringContaining('the lock was lost'),
    });
  });

  it('forgives the death of a host to a job that has one attempt', async () => {
    const id = await under().add(TYPE, {}, { attempts: 1 });
    await under().addDeaths(id, 1);
    await under().start({ run: () => undefined });
    await gone(id);
  });

  it('runs a dead job once', async () => {
    let runs = 0;
    await under().start({
      run: () => {
        runs += 1;
        return { kind: 'dead', reason: 'never' };
      },
    });
    expect((await failed(await under().add(TYPE, {}))).reason).toBe('never');
    expect(runs).toBe(1);
  });

  it('lets a job snooze without counting an attempt', async () => {
    const attempts: number[] = [];
    await under().start({
      attempts: 1,
      run: (_view, { attempt }) => {
        attempts.push(attempt);
        return attempts.length < 4 ? { kind: 'snooze', afterMs: 5 } : undefined;
      },
    });
    await gone(await under().add(TYPE, {}));
    expect(attempts).toEqual([1, 1, 1, 1]);
  });

  it('aborts a job that takes too long, and does not wait for one that does not listen', async () => {
    const reasons: string[] = [];
    await under().start({
      attempts: 1,
      timeoutMs: 50,
      run: (_view, { signal }) =>
        new Promise(() =>
          signal.addEventListener('abort', () => reasons.push(String((signal.reason as Error).message))),
        ),
    });
    expect((await failed(await under().add(TYPE, {}))).reason).toBe('the worker took longer than 50 ms');
    expect(reasons).toEqual(['the worker took longer than 50 ms']);
  });

  it('lets data die at once that does not fit the schema, naming the field', async () => {
    let runs = 0;
    await under().start({
      run: () => {
        runs += 1;
      },
    });
    expect((await failed(await under().add(TYPE, { urll: 'x' }))).reason).toMatch(/urll: .* did you mean "url"/);
    expect(runs).toBe(0);
  });

  it("honours a job's own number of attempts", async () => {
    let runs = 0;
    await under().start({
      attempts: 5,
      backoff: FAST,
      run: () => {
        runs += 1;
        throw new Error('no');
      },
    });
    await failed(await under().add(TYPE, {}, { attempts: 2 }));
    expect(runs).toBe(2);
  });

  it('finishes what runs when it is stopped', async () => {
    const started = Promise.withResolvers<void>();
    const host = await under().start({
      run: async () => {
        started.resolve();
        await new Promise((resolve) => setTimeout(resolve, 300));
      },
    });
    const id = await under().add(TYPE, {});
    await started.promise;
    await host.stop(5_000);
    expect(await under().see(id)).toBeUndefined();
  });

  it('gives back what is not through at the deadline, uncounted, and another host runs it at once', async () => {
    const started = Promise.withResolvers<void>();
    const host = await under().start({
      attempts: 1,
      run: (_view, { signal }) => {
        started.resolve();
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
    });
    const id = await under().add(TYPE, {});
    await started.promise;
    await host.stop(50);
    const attempts: number[] = [];
    const since = Date.now();
    await under().start({ attempts: 1, run: (_view, { attempt }) => void attempts.push(attempt) });
    await gone(id);
    expect(attempts).toEqual([1]);
    expect(Date.now() - since).toBeLessThan(5_000);
  });

  it('runs what a killed host held, within seconds', async () => {
    const id = await under().add(TYPE, {});
    const doomed = await under().startDoomed();
    doomed.kill();
    await under().start({ run: () => undefined });
    await vi.waitFor(async () => expect(await under().see(id)).toBeUndefined(), { timeout: 25_000, interval: 100 });
  });
}

/** Where a job's attempts are the worker's to say, and hosts that died with it are among them. */
export function describeCountedDeaths(under: () => HostUnderTest): void {
  const failed = failedIn(under);

  it('counts the death of a host as an attempt', async () => {
    const id = await under().add(TYPE, {}, { attempts: 4 });
    await under().addDeaths(id, 2);
    const attempts: number[] = [];
    await under().start({
      backoff: FAST,
      run: (_view, { attempt }) => {
        attempts.push(attempt);
        throw new Error('no');
      },
    });
    await failed(id);
    expect(attempts).toEqual([3, 4]);
  });

  it('lets a job die that took a host down in each of its attempts', async () => {
    const id = await under().add(TYPE, {}, { attempts: 4 });
    await under().addDeaths(id, 4);
    let runs = 0;
    await under().start({
      run: () => {
        runs += 1;
      },
    });
    expect((await failed(id)).reason).toMatch(/^4 times its host died/);
    expect(runs).toBe(0);
  });

  it('lets a job die whose message nobody runs, naming the known ones', async () => {
    await under().start({ run: () => undefined });
    expect((await failed(await under().add('acme.Unknown', {}))).reason).toBe(
      `no worker runs acme.Unknown; known: ${TYPE}`,
    );
  });
}
