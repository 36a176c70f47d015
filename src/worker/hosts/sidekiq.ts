/**
 * The host on Sidekiq queues: one for all of them in a process, with a concurrency of its own. What it takes lies in private
 * lists in Redis until it is put down, so that a host that is killed loses nothing: others find its sign of life gone within
 * some 20 seconds, and put its jobs back. While its queues are empty it asks for jobs more and more seldom, at the least ten
 * times a second. While Redis does not answer it asks again, and what has ended waits to be written.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { WorkersOf } from '../../definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../../definition/sidekiq-worker.ts';
import { messageOf, SluiceError } from '../../errors.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import { readJob } from '../../queue/sidekiq/job.ts';
import { BEAT_MS, type Signal, sayGoodbye } from '../../queue/sidekiq/process.ts';
import { createSidekiqSource } from '../../queue/sidekiq/source.ts';
import type { Redis } from '../../redis/connection.ts';
import { sidekiqPrivateKey } from '../../redis/keys.ts';
import type { Schemas } from '../../schema/schemas.ts';
import { createSeldom } from '../../seldom.ts';
import { within } from '../../service.ts';
import type { AttemptContext } from '../attempt.ts';
import { byClass } from '../by-class.ts';
import type { Host } from '../host.ts';
import { createChores } from './sidekiq-chores.ts';
import { differences } from './sidekiq-holdings.ts';
import { createRuns } from './sidekiq-runs.ts';

const LEAST_IDLE_MS = 5;
const MOST_IDLE_MS = 100;
const REFUSED_WAIT_MS = 250;
const ASK_AGAIN_MS = 500;
/** After the deadline, running jobs get this long to hear their signal and be given back. */
const LET_GO_MS = 2_000;

export interface SidekiqHostOptions extends Omit<AttemptContext, 'find'> {
  readonly workers: WorkersOf<SidekiqWorkerDefinition>;
  readonly schemas: Schemas;
  readonly dialect: Dialect;
  readonly concurrency: number;
  /** For commands. The caller closes it. */
  readonly connection: Redis;
  /** Somebody asked for the end of the process in Sidekiq's Web. */
  readonly onTerm: () => void;
}

/** Of all hosts, in what a process tells of itself. */
export const SIDEKIQ_LABEL = 'sidekiq';

export function createSidekiqHost(options: SidekiqHostOptions): Host {
  const { workers, schemas, dialect, concurrency, connection, log, clock, onTerm } = options;
  const identity = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  const queues = workers.queues();
  const source = createSidekiqSource(connection, identity);
  const seldom = createSeldom(clock);
  /** Fires once nothing is held any more: until then the host has to be seen alive. */
  const over = new AbortController();
  let aheadMs = 0;
  let isQuiet = false;
  let isStopping = false;
  let pause = new AbortController();
  let auditAtMs = 0;
  let taking: Promise<void> | undefined;
  let tidying: Promise<void> | undefined;

  const redisNow = () => clock.now() + aheadMs;
  const runs = createRuns({
    ...options,
    find: byClass(workers, schemas),
    source,
    redisNow,
    report,
    onEnd: () => pause.abort(),
  });
  const facts = { identity, hostname: hostname(), pid: process.pid, startedAtMs: clock.now(), concurrency, queues };
  const chores = createChores({
    ...{ redis: connection, source, facts, dialect, held: runs.held, redisNow, report, log, clock },
    isQuiet: () => isQuiet || isStopping,
    onSignal,
  });

  function report(error: unknown): void {
    // The loss of a connection is told once by the connection.
    if (connection.status !== 'ready' || seldom('trouble') === undefined) return;
    log.warn({ reason: messageOf(error) }, 'sidekiq queues cannot be read or written for now');
  }

  function onSignal(signal: Signal): void {
    log.info({ signal, running: runs.held.size }, 'asked by way of sidekiq');
    if (signal === 'TERM') onTerm();
    if (signal === 'TTIN') tellRuns();
    else isQuiet = true;
  }

  function tellRuns(): void {
    for (const { job, queue, tid, startedAtMs } of runs.held) {
      log.info({ tid, queue, class: job?.class, jobId: job?.jid, runningMs: redisNow() - startedAtMs }, 'a job runs');
    }
  }

  async function takeUntilStopped(): Promise<void> {
    let idleMs = LEAST_IDLE_MS;
    while (!isStopping) {
      pause = new AbortController();
      const waitMs = await takeOnce(idleMs).catch(askAgain);
      idleMs = waitMs === idleMs ? Math.min(idleMs * 2, MOST_IDLE_MS) : LEAST_IDLE_MS;
      if (waitMs > 0) await clock.sleep(waitMs, pause.signal);
    }
  }

  /** What became of the call is not known: it may have taken jobs. */
  function askAgain(error: unknown): number {
    report(error);
    auditAtMs = 0;
    return ASK_AGAIN_MS;
  }

  /** Answers how long to wait; jobs that end interrupt it. */
  async function takeOnce(idleMs: number): Promise<number> {
    if (clock.now() >= auditAtMs) await audit();
    const free = concurrency - runs.held.size;
    if (free <= 0 || isQuiet) return BEAT_MS;
    const take = await source.take(free, shuffled(queues));
    if (take.kind === 'silent') {
      auditAtMs = 0;
      await chores.beat();
      return 0;
    }
    aheadMs = take.nowMs - clock.now();
    for (const each of take.jobs) runs.begin(each);
    if (take.refused > 0 && seldom('refused') !== undefined) log.warn({}, REFUSED);
    if (take.jobs.length > 0) return 0;
    return take.refused > 0 ? REFUSED_WAIT_MS : idleMs;
  }

  async function audit(): Promise<void> {
    auditAtMs = clock.now() + BEAT_MS;
    const { strays, lost } = await differences(source, queues, runs.held);
    for (const { abort } of lost) abort.abort(LOCK_LOST);
    for (const each of strays) {
      const privateKey = sidekiqPrivateKey(each.queue, identity);
      await source.settle({ ...each, privateKey, source: readJob(each.raw)?.source }, { kind: 'return' });
    }
  }

  async function noneHeld(): Promise<void> {
    while (runs.held.size > 0) {
      pause = new AbortController();
      await clock.sleep(BEAT_MS, pause.signal);
    }
  }

  return {
    queue: SIDEKIQ_LABEL,
    attempt: runs.attempt,

    get busy() {
      return runs.held.size;
    },

    async start() {
      if (taking !== undefined) return;
      taking = takeUntilStopped();
      tidying = chores.run(over.signal);
    },

    async stop(deadlineMs) {
      if (taking === undefined || tidying === undefined || isStopping) return;
      isStopping = true;
      pause.abort();
      const ended = taking.then(noneHeld);
      await within(deadlineMs, ended);
      runs.letGo();
      await within(LET_GO_MS, ended);
      runs.abandon();
      over.abort();
      await within(LET_GO_MS, tidying);
      await within(LET_GO_MS, sayGoodbye(connection, identity).catch(report));
    },
  };
}

/** No queue is always asked first. */
function shuffled(queues: readonly string[]): string[] {
  return queues
    .map((queue) => ({ queue, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ queue }) => queue);
}

const REFUSED = 'jobs from kafka wait for their bridge, which has to reconcile them after a loss of redis';
const LOCK_LOST = new SluiceError('STOPPED', 'the lock was lost: another host may run the job');
