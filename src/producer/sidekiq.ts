/**
 * Produces Sidekiq jobs, to Kafka or straight to Sidekiq's Redis, by the same calls with the same checks; Ruby sees the
 * same job. Promises as of events: see producer.ts. Nothing of protobuf is read: a class has no schema.
 */
import { SluiceError } from '../errors.ts';
import type { Log } from '../log.ts';
import { named } from './options.ts';
import { type SettledSidekiq, type SidekiqSettings, settleSidekiq } from './settings.ts';
import {
  type CheckedSidekiqJob,
  checkJob,
  checkText,
  type OutgoingSidekiqJob,
  type SidekiqOptions,
} from './sidekiq-options.ts';
import { type Transport, whenNeeded } from './transport.ts';

/** Every call answers the jids, once the jobs are durable where they went. */
export interface SidekiqProducer {
  perform(className: string, args: readonly unknown[], options?: SidekiqOptions): Promise<string>;
  /** Either every job is acked, or the call rejects; by Redis, all of them appear at once. */
  performMany(jobs: readonly OutgoingSidekiqJob[]): Promise<string[]>;
  /** As `performMany`, of jobs in Sidekiq's JSON: what is in them keeps its spelling, `1.0` is passed on as `1.0`. */
  performJson(jobs: readonly string[]): Promise<string[]>;
  close(): Promise<void>;
}

export function createSidekiqProducer(settings: SidekiqSettings, log: Log): SidekiqProducer {
  const settled = settleSidekiq(settings);
  const transport = whenNeeded(() => open(settled, log));

  async function sendAll<T>(
    jobs: readonly T[],
    check: (job: T, nowMs: number) => CheckedSidekiqJob,
  ): Promise<string[]> {
    const nowMs = Date.now();
    const nameOf = (i: number) => (jobs.length === 1 ? '' : `jobs[${i}]: `);
    const checked = jobs.map((job, i) => named(nameOf(i), () => check(job, nowMs)));
    await transport.send(checked);
    return checked.map(({ jid }) => jid);
  }

  return {
    async perform(className, args, options = {}) {
      checkFree(options);
      const [jid] = await sendAll([{ ...options, class: className, args }], checkJob);
      return jid as string;
    },
    performMany: (jobs) => sendAll(jobs, checkJob),
    performJson: (jobs) => sendAll(jobs, (text, nowMs) => checkText(text, {}, nowMs)),
    close: () => transport.close(),
  };
}

function checkFree(options: SidekiqOptions): void {
  for (const name of ['class', 'args']) {
    if (options[name] !== undefined)
      throw new SluiceError('INVALID_MESSAGE', `${name}: is an argument of perform, and no option`);
  }
}

async function open(settled: SettledSidekiq, log: Log): Promise<Transport<CheckedSidekiqJob>> {
  if (settled.via === 'kafka') return (await import('./sidekiq-to-kafka.ts')).openSidekiqKafka(settled, log);
  return (await import('./sidekiq-to-redis.ts')).openSidekiqRedis(settled, log);
}
