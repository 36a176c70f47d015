/** The worker of probes, for Sluice's own host: writes down each run's start and end, and does what the probe says. */
import { systemClock } from '../../clock.ts';
import { defineWorkerFor } from '../../definition/define.ts';
import { dead, retry } from '../../definition/outcomes.ts';
import type { Outcome, WorkerContext, WorkerDefinition } from '../../definition/worker.ts';
import { openHistory, type RunLine } from '../history.ts';
import { PROBE, type Probe } from './probe.ts';

/** So few that a record which takes its host down each time dies within a minute. */
const ATTEMPTS = 3;
const LONG_MS = 6_000;
/** Longer than the lock of a job. */
const BLOCK_MS = 10_000;
/** An event that is sent again is the same in all but the time of sending; the receiver insists on it. */
const CREATED_AT = '1767603600000';

/** `file` is the history. */
export function probeWorker(file: string, queue: string): WorkerDefinition<Probe> {
  const history = openHistory(file);
  return defineWorkerFor<Probe>(PROBE, {
    queue,
    attempts: ATTEMPTS,
    backoff: { baseMs: 100, maxMs: 300 },
    async run(probe, context) {
      const line = runOf(probe, context);
      history.append({ ...line, is: 'start' });
      const outcome = await follow(probe, context);
      history.append({ ...line, is: 'end', outcome: outcome === undefined ? 'done' : 'failed' });
      return outcome;
    },
  });
}

function runOf({ id }: Probe, { source, attempt }: WorkerContext): Omit<RunLine, 'is' | 'outcome'> {
  const { topic = '', partition = -1, offset = -1n } = source ?? {};
  return { topic, partition, offset: Number(offset), id, host: 'sluice', pid: process.pid, attempt };
}

async function follow(probe: Probe, context: WorkerContext): Promise<Outcome | undefined> {
  const { signal, collector, attempt } = context;
  if (probe.course === 'block') blockFor(BLOCK_MS);
  await systemClock.sleep(probe.course === 'long' ? LONG_MS : (probe.workMs ?? 0), signal);
  // What was asked to stop did not run to its end.
  signal.throwIfAborted();
  if (probe.course === 'kill') process.kill(process.pid, 'SIGKILL');
  if (probe.course === 'dead') return dead('as the probe says');
  if (probe.course === 'retry' && attempt === 1) return retry('as the probe says');
  if (probe.track) await collector.track({ e: 'pv', dtm: CREATED_AT, url: `https://faults.example/${probe.id}` });
  signal.throwIfAborted();
  return undefined;
}

function blockFor(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
