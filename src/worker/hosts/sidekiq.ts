/**
 * The host on Sidekiq queues: one for all of them in a process, with a concurrency of its own. What it takes lies in private
 * lists in Redis until it is put down, so that a host that is killed loses nothing: others find its sign of life gone within
 * some 20 seconds, and put its jobs back. While Redis does not answer it asks again, and what has ended waits to be written.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { WorkersOf } from '../../definition/discover.ts';
import type { SidekiqWorkerDefinition } from '../../definition/sidekiq-worker.ts';
import { messageOf } from '../../errors.ts';
import type { Dialect } from '../../job/sidekiq-job.ts';
import { type Signal, sayGoodbye } from '../../queue/sidekiq/process.ts';
import { createSidekiqSource } from '../../queue/sidekiq/source.ts';
import type { Redis } from '../../redis/connection.ts';
import type { Schemas } from '../../schema/schemas.ts';
import { createSeldom } from '../../seldom.ts';
import { within } from '../../service.ts';
import type { AttemptContext } from '../attempt.ts';
import { byClass } from '../by-class.ts';
import type { Host } from '../host.ts';
import { createChores } from './sidekiq-chores.ts';
import { createRuns } from './sidekiq-runs.ts';
import { createTaking } from './sidekiq-taking.ts';

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
  let working: { readonly taken: Promise<void>; readonly tidied: Promise<void> } | undefined;

  const redisNow = () => clock.now() + aheadMs;
  const common = {
    source,
    queues,
    concurrency,
    dialect,
    redisNow,
    isQuiet: () => isQuiet || isStopping,
    report,
    log,
    clock,
  };
  const runs = createRuns({ ...options, ...common, find: byClass(workers, schemas), onEnd: () => taking.wake() });
  const facts = { identity, hostname: hostname(), pid: process.pid, startedAtMs: clock.now(), concurrency, queues };
  const chores = createChores({ ...common, redis: connection, facts, held: runs.held, onSignal });
  const taking = createTaking({
    ...common,
    runs,
    beat: chores.beat,
    onTime(nowMs) {
      aheadMs = nowMs - clock.now();
    },
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

  return {
    queue: 'sidekiq',
    attempt: runs.attempt,

    get busy() {
      return runs.held.size;
    },

    async start() {
      working ??= { taken: taking.run(), tidied: chores.run(over.signal) };
    },

    async stop(deadlineMs) {
      if (working === undefined || isStopping) return;
      isStopping = true;
      taking.stop();
      const ended = working.taken.then(runs.ended);
      await within(deadlineMs, ended);
      runs.letGo();
      await within(LET_GO_MS, ended);
      runs.abandon();
      over.abort();
      await within(LET_GO_MS, working.tidied);
      await within(LET_GO_MS, sayGoodbye(connection, identity).catch(report));
    },
  };
}
