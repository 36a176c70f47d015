/**
 * What a caller may say about a Sidekiq job, checked strictly: every error is INVALID_MESSAGE and names the field. The
 * rules of the fields are those of Sidekiq's own client, which the bridge asks too (job/sidekiq-job.ts).
 */
import { randomBytes } from 'node:crypto';
import { SluiceError } from '../errors.ts';
import type { JobAbout } from '../job/job.ts';
import { parseSidekiqJob, type SidekiqJob } from '../job/sidekiq-job.ts';
import { valueText } from '../job/sidekiq-values.ts';
import { checkOptions, shown } from './options.ts';

/** Fields of a Sidekiq job, by Sidekiq's names. Any other that Sidekiq or its plugins know is passed on as it is. */
export interface SidekiqOptions {
  /** Default: by Redis `default`, by Kafka what the topic's configuration says. */
  readonly queue?: string;
  /** Run at this time: a Date, or seconds since the epoch. */
  readonly at?: Date | number;
  /** Run so many seconds from now. */
  readonly in?: number;
  /** true: 25 times, false: never, or how often. Default: true. */
  readonly retry?: boolean | number;
  readonly tags?: readonly string[];
  /** Default: 24 random hexadecimal digits. */
  readonly jid?: string;
  /** Not a field of the job: jobs of one key keep their order in Kafka and share a partition. */
  readonly key?: string;
  /** Not a field of the job: travel with it, such as trace context. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

export interface OutgoingSidekiqJob extends SidekiqOptions {
  /** Name of the Ruby class. */
  readonly class: string;
  /** Plain JSON values. */
  readonly args: readonly unknown[];
}

/** A job that has passed its checks, with what each way needs of it. */
export interface CheckedSidekiqJob {
  readonly job: SidekiqJob;
  readonly jid: string;
  readonly createdAtMs: number;
  readonly about: JobAbout;
}

/** Sidekiq's client takes an interval of this or more for a time. */
const LONGEST_INTERVAL_SECONDS = 1_000_000_000;
const OURS: readonly string[] = ['sl', 'enqueued_at'];

export function checkJob({ in: delay, key, headers, ...fields }: OutgoingSidekiqJob, nowMs: number): CheckedSidekiqJob {
  checkOptions({ ...(key !== undefined && { key }), ...(headers !== undefined && { headers }) });
  const members = Object.entries({ ...fields, at: timeOf(fields.at, delay, nowMs) }).flatMap(([name, value]) => {
    if (OURS.includes(name)) throw refused(`${name}: is written by Sluice`);
    // Sidekiq's client refuses this nil, and no other.
    if (name === 'queue' && value === null) throw refused('queue: null is not allowed; allowed: a name');
    return value === undefined ? [] : [`${JSON.stringify(name)}:${valueText(value, name, 1)}`];
  });
  return checkText(`{${members.join(',')}}`, aboutOf(key, headers), nowMs);
}

/** `text` is a job as Sidekiq's JSON. */
export function checkText(text: string, about: JobAbout, nowMs: number): CheckedSidekiqJob {
  const job = parseSidekiqJob(Buffer.from(text));
  const { jid = randomBytes(12).toString('hex'), createdAtMs = nowMs } = job;
  return { job, jid, createdAtMs, about };
}

/** In seconds since the epoch, unless it is something that no job has. */
function timeOf(at: unknown, delay: unknown, nowMs: number): unknown {
  if (delay === undefined) return secondsOf(at);
  if (at !== undefined) throw refused('in: at is given too; one of them is allowed');
  if (delay === 0) return undefined;
  if (typeof delay === 'number' && delay >= 0 && delay < LONGEST_INTERVAL_SECONDS) return nowMs / 1000 + delay;
  throw refused(
    `in: ${shown(delay)} is not allowed; allowed: a number of seconds from 0 to below ${LONGEST_INTERVAL_SECONDS}`,
  );
}

function secondsOf(at: unknown): unknown {
  const time = at instanceof Date ? at.getTime() / 1000 : at;
  if (time === null || Number.isNaN(time))
    throw refused(`at: ${shown(at)} is not allowed; allowed: a Date, or a number of seconds since the epoch`);
  return time;
}

function aboutOf(key: string | undefined, headers: SidekiqOptions['headers']): JobAbout {
  return { ...(key && { key }), ...(headers && Object.keys(headers).length > 0 && { headers }) };
}

function refused(message: string): SluiceError {
  return new SluiceError('INVALID_MESSAGE', message);
}
