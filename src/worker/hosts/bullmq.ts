/**
 * The host over BullMQ's Worker. A host that dies is noticed when its jobs' locks run out: within LOCK_MS and two
 * stalled checks, some 8 to 16 seconds. Locks are renewed at half their time, so a worker that blocks the event loop for
 * longer than LOCK_MS (the first time, for longer than STALLED_CHECK_MS: see kept-locks.ts) may see its job run by another
 * host too; such work belongs in a thread or in smaller steps.
 * A job that takes its host down each time is dead when its attempts are used up; those that it took along have their last
 * run one at a time, so that they do not die with it. A host that was stopped for longer than a lock lasts runs
 * nothing that is another's by then.
 */
import type { WorkersOf } from '../../definition/discover.ts';
import type { Outcome, WorkerDefinition } from '../../definition/worker.ts';
import { type EndSignal, PlainEnd } from '../../end-signal.ts';
import { messageOf, SluiceError } from '../../errors.ts';
import { createBullSource, isTestedSource, JobError } from '../../queue/bullmq/source.ts';
import { timedBackend } from '../../queue/bullmq/timed-backend.ts';
import type { Redis } from '../../redis/connection.ts';
import type { Schemas } from '../../schema/schemas.ts';
import { createSeldom } from '../../seldom.ts';
import { within } from '../../service.ts';
import { type AttemptContext, attempt } from '../attempt.ts';
import { byMessage } from '../by-message.ts';
import { createFailureLog } from '../failure-log.ts';
import type { Host } from '../host.ts';
import { Roll } from '../roll.ts';
import { attemptsOf, giveBack, keepOf, record, requireOwn, retryDelay } from './bullmq-job.ts';
import { LaneWorker } from './bullmq-worker.ts';
import type { HeldJob } from './held-job.ts';
import { watchIdle } from './idle-watch.ts';
import { createLastRuns } from './last-runs.ts';

const LOCK_MS = 8_000;
const STALLED_CHECK_MS = 4_000;
/** So long at least, a job without a lock is nobody else's: shorter than what two stalled checks lie apart. */
const UNLOCKED_MS = 2_000;
/** BullMQ's own limit knows nothing of attempts; ours does, and comes first. */
const STALLS_ALLOWED = 1_000_000;
/** After the deadline, running jobs get this long to hear their signal and be given back. */
const LET_GO_MS = 2_000;
const IDLE_CLOSE_MS = 2_000;
const OPEN_AGAIN_MS = 500;
const LOG_AGAIN_MS = 10_000;
/** BullMQ's, of each job beside its event of them all. */
const LOCK_NOT_RENEWED = /^could not renew lock for job /;

export interface BullHostOptions extends Omit<AttemptContext, 'find'> {
  readonly workers: WorkersOf<WorkerDefinition>;
  readonly schemas: Schemas;
  readonly queue: string;
  readonly prefix: string;
  readonly concurrency: number;
  /** For commands; BullMQ opens a second one of the same kind to wait on. The caller closes it. */
  readonly connection: Redis;
}

type Around = (run: () => Promise<Outcome>) => Promise<Outcome>;

export function createBullHost(options: BullHostOptions): Host {
  const { queue, prefix, concurrency, connection, log, clock, workers, schemas } = options;
  const keyPrefix = `${prefix}:${queue}:`;
  const running = new Roll<PlainEnd>();
  const find = byMessage(workers, schemas, () => running.size >= concurrency);
  const context = { ...options, find };
  /** The newest, and those before it that still finish a job. */
  const unclosed = new Set<LaneWorker>();
  const failures = createFailureLog(log, clock);
  const seldom = createSeldom(clock, LOG_AGAIN_MS);
  const lastRuns = createLastRuns(keyPrefix, connection, clock);
  const isStock = !isTestedSource();
  const source = createBullSource({ connection, queue, keyPrefix, lockMs: LOCK_MS, isStock });
  let worker: LaneWorker | undefined;
  let givenUp: LaneWorker | undefined;
  let isStopping = false;
  let isLettingGo = false;
  let silentUntil = 0;
  let refusalSilentUntil = 0;
  let signs = 0;
  const stopping = new AbortController();

  function run(taken: Parameters<Host['attempt']>[0], signal: EndSignal): Promise<Outcome> {
    return attempt(taken, signal, context);
  }

  async function process(held: HeldJob): Promise<string> {
    signs += 1;
    // Made again after a loss of Redis, it was given to whoever came first: here, where its first run goes on.
    running.get(held.id)?.abort(LOCK_LOST);
    const outcome = isLettingGo ? LET_GO : await runInTurn(held);
    if (outcome.kind === 'done') return keepOf(held);
    if (isLettingGo && outcome.kind === 'retry') await giveBack(held);
    failures.tell(held, outcome);
    await record(held, outcome, workers.get(held.name));
    return keepOf(held);
  }

  function runInTurn(held: HeldJob): Promise<Outcome> {
    if (held.stalledCounter === 0) return runAbortable(held);
    return runLate(held, attemptsOf(held, workers.get(held.name)));
  }

  /** One that hosts have died with may be dead, or have to wait. */
  async function runLate(held: HeldJob, attempts: number): Promise<Outcome> {
    const noted: Around = (run) => lastRuns.noted(held, attempts, run);
    return (await lastRuns.verdict(held, attempts)) ?? lastRuns.inTurn(held, attempts, () => runAbortable(held, noted));
  }

  async function runAbortable(held: HeldJob, around: Around = (run) => run()): Promise<Outcome> {
    if (clock.now() - held.askedAt > (held.isLocked ? LOCK_MS : UNLOCKED_MS)) await requireOwn(held, LOCK_MS);
    const own = new PlainEnd();
    running.set(held.id, own);
    try {
      return await around(() => run(held, own));
    } finally {
      // A job whose lock was lost may be running here a second time.
      if (running.get(held.id) === own) running.delete(held.id);
    }
  }

  function report(error: unknown): void {
    if (error instanceof JobError) tellOfJob(error);
    // A lock that was lost ends its attempt, which is told, and so is that nothing was written of it.
    if (error instanceof JobError || LOCK_NOT_RENEWED.test(messageOf(error))) return;
    // The loss of a connection is told once by the connection, not by each of hundreds of hosts.
    if (isStopping || connection.status !== 'ready' || clock.now() < silentUntil) return;
    silentUntil = clock.now() + LOG_AGAIN_MS;
    log.warn({ queue, reason: messageOf(error) }, 'the queue cannot be read or written for now');
  }

  function tellOfJob({ jobId, message: reason, kind }: JobError): void {
    const passedOver = seldom(kind);
    if (passedOver !== undefined) log.warn({ queue, jobId, reason, passedOver }, 'the outcome of a job is not written');
  }

  /** The bridge has to say first which of the jobs that Redis brought back are finished. */
  function refused(): void {
    signs += 1;
    if (clock.now() < refusalSilentUntil) return;
    refusalSilentUntil = clock.now() + LOG_AGAIN_MS;
    log.warn({ queue }, 'jobs from kafka wait for their bridge, which has to reconcile them after a loss of redis');
  }

  function stuck(waiting: number): void {
    log.warn({ queue, waiting }, 'the worker takes no jobs although some wait; opening it anew');
    if (worker !== undefined) void openAnew(worker);
  }

  function open(): void {
    const settings = {
      connection,
      prefix,
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: STALLS_ALLOWED,
      runRetryDelay: 1_000,
      settings: { backoffStrategy: retryDelay },
    };
    const lanes = { source, run: process, onRefused: refused };
    const opened = new LaneWorker(queue, settings, timedBackend(connection), lanes);
    worker = opened;
    unclosed.add(opened);
    opened.on('closed', () => unclosed.delete(opened));
    opened.on('error', report);
    opened.on('lockRenewalFailed', (ids) => {
      for (const id of ids) running.get(id)?.abort(LOCK_LOST);
    });
    opened.run().catch(report);
    opened.waitUntilReady().catch(() => openAnew(opened));
  }

  /**
   * A worker whose connection failed while it was being set up stays dead, and would say nothing. Not by force: what it
   * is just taking runs on under a lock that is renewed, and may outlast the wait.
   */
  async function openAnew(failed: LaneWorker): Promise<void> {
    // Closing one that is not set up yet makes its set-up fail: one takes its place, not two.
    if (failed !== worker || failed === givenUp) return;
    givenUp = failed;
    await within(IDLE_CLOSE_MS, failed.close().catch(report));
    await within(IDLE_CLOSE_MS, failed.release());
    await clock.sleep(OPEN_AGAIN_MS);
    if (!isStopping) open();
  }

  return {
    queue,
    attempt: run,

    get busy() {
      return running.size;
    },

    async start() {
      if (worker !== undefined) return;
      open();
      void watchIdle({
        keyPrefix,
        connection,
        clock,
        signal: stopping.signal,
        signs: () => (running.size > 0 ? undefined : signs),
        onStuck: stuck,
      });
    },

    async stop(deadlineMs) {
      if (isStopping || worker === undefined) return;
      isStopping = true;
      stopping.abort();
      const left = [...unclosed];
      const closing = Promise.all(left.map((each) => each.close().catch(report)));
      // A worker that cannot reach Redis does not close by itself; without a job there is nothing to wait for.
      await within(Math.min(deadlineMs, IDLE_CLOSE_MS), closing);
      if (running.size > 0) await within(Math.max(0, deadlineMs - IDLE_CLOSE_MS), closing);
      isLettingGo = true;
      for (const own of running.values()) own.abort(STOPPED);
      await within(LET_GO_MS, closing);
      await within(LET_GO_MS, Promise.all(left.map((each) => each.release())));
    },
  };
}

const LOCK_LOST = new SluiceError('STOPPED', 'the lock was lost: the job may run elsewhere, or here a second time');
const STOPPED = new SluiceError('STOPPED', 'the host stops');
const LET_GO: Outcome = { kind: 'retry', reason: STOPPED.message };
