/** A stock BullMQ worker, which knows nothing of Sluice: it reads where its job came from out of the job's id. */
import { type Job, Worker } from 'bullmq';
import { systemClock } from '../../clock.ts';
import { sourceOf } from '../../job/identity.ts';
import { silentLog } from '../../log.ts';
import { connect } from '../../redis/connection.ts';
import { openHistory, type RunLine } from '../history.ts';
import type { Probe } from './probe.ts';

const CONCURRENCY = 20;
const LOCK_MS = 8_000;
const STALLED_CHECK_MS = 4_000;

export interface StockWorkerOptions {
  /** File of the history. */
  readonly history: string;
  readonly redisUrl: string;
  readonly prefix: string;
  readonly queue: string;
}

/** Runs until its process ends. */
export function runStockWorker({ history: file, redisUrl, prefix, queue }: StockWorkerOptions): void {
  const history = openHistory(file);
  const work = async (job: Job<Probe>) => {
    const line = runOf(job);
    history.append({ ...line, is: 'start' });
    await systemClock.sleep(job.data.workMs ?? 0);
    history.append({ ...line, is: 'end', outcome: 'done' });
  };
  const worker = new Worker<Probe>(queue, work, {
    connection: connect('stock', { url: redisUrl }, 'worker', silentLog),
    prefix,
    concurrency: CONCURRENCY,
    lockDuration: LOCK_MS,
    stalledInterval: STALLED_CHECK_MS,
    maxStalledCount: 1_000,
  });
  worker.on('error', () => undefined);
}

function runOf({ id = '', data, attemptsMade }: Job<Probe>): Omit<RunLine, 'is' | 'outcome'> {
  const { topic = '', partition = -1, offset = -1n } = sourceOf(id) ?? {};
  const attempt = attemptsMade + 1;
  return { topic, partition, offset: Number(offset), id: data.id, host: 'stock', pid: process.pid, attempt };
}
