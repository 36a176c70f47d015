/**
 * Enqueues straight to Sidekiq's Redis as its own client does: on a queue, or in the schedule when it is due later. All
 * jobs of a call are added in one transaction.
 */
import { SluiceError } from '../../errors.ts';
import { type Dialect, enqueuedText } from '../../job/sidekiq-job.ts';
import { lastError, type Redis, redisError } from '../../redis/connection.ts';

export interface DirectSidekiqJob {
  readonly queue: string;
  /** Stamped, but without `enqueued_at`. */
  readonly text: string;
  /** In milliseconds since the epoch. */
  readonly atMs: number | undefined;
}

/** Jobs to a command, which Redis reads into memory as a whole. */
const JOBS_A_COMMAND = 500;

/** Resolves when every job is in Redis. `name` is that of the Redis in errors. */
export async function addDirectly(
  connection: Redis,
  jobs: readonly DirectSidekiqJob[],
  dialect: Dialect,
  name: string,
): Promise<void> {
  let replies: readonly (readonly [Error | null, unknown])[] | null;
  try {
    // A transaction is sent as it is, whether there is a connection or not; a command gives up after its tries.
    if (connection.status !== 'ready') await connection.ping();
    replies = await transactionOf(connection, jobs, dialect, Date.now()).exec();
  } catch (error) {
    throw redisError(name, reasonOf(error), lastError(connection));
  }
  const failure = replies?.find(([error]) => error !== null)?.[0];
  if (failure) throw new SluiceError('UNFIT', `Redis ${name} does not take the jobs: ${failure.message}`);
}

function transactionOf(connection: Redis, jobs: readonly DirectSidekiqJob[], dialect: Dialect, nowMs: number) {
  const transaction = connection.multi();
  const isLater = ({ atMs = 0 }: DirectSidekiqJob) => atMs > nowMs;
  for (const some of pages(jobs.filter(isLater))) {
    transaction.zadd('schedule', ...some.flatMap(({ atMs, text }) => [(atMs as number) / 1000, text]));
  }
  const byQueue = Map.groupBy(
    jobs.filter((job) => !isLater(job)),
    ({ queue }) => queue,
  );
  for (const [queue, of] of byQueue) {
    transaction.sadd('queues', queue);
    for (const some of pages(of)) {
      transaction.lpush(`queue:${queue}`, ...some.map(({ text }) => enqueuedText(text, nowMs, dialect)));
    }
  }
  return transaction;
}

function pages<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / JOBS_A_COMMAND) }, (_, i) =>
    all.slice(i * JOBS_A_COMMAND, (i + 1) * JOBS_A_COMMAND),
  );
}

/** Redis says of a refused transaction only that it was refused; the command that it refused tells why. */
function reasonOf(error: unknown): unknown {
  const [first] = (Reflect.get(Object(error), 'previousErrors') as unknown[] | undefined) ?? [];
  return first ?? error;
}
