/**
 * What becomes of a job that failed, as Sidekiq's own retry would have it: the same fields in the same form, the same
 * number of retries, the same waits. Pure.
 *
 * Source: Sidekiq's job_retry.rb of 6.4.1, 7.3.9 and 8.1.7.
 */
import { deflateSync } from 'node:zlib';
import { textOf } from '../../job/json-members.ts';
import { type Dialect, millisecondsOf, timeText, untracked } from '../../job/sidekiq-job.ts';
import type { QueuedJob } from './job.ts';

const DEFAULT_RETRIES = 25;
const MESSAGE_CHARS = 10_000;
const POISONED = 'its hosts died while they ran it, one after the other';
/** Ruby's Base64.encode64 breaks its lines there; Sidekiq 8 writes one line. */
const BASE64_LINE = 60;

export interface Failure {
  readonly class: string;
  readonly message: string;
  /** Newest call first. */
  readonly backtrace: readonly string[];
  /** Milliseconds that somebody asked to wait; undefined: Sidekiq's own wait. */
  readonly waitMs?: number | undefined;
  /** Never again, whatever the job says. */
  readonly isFinal: boolean;
  /** Nobody here could run it: it is tried again even if it says never, since others may know it. */
  readonly isUnknown?: boolean;
}

export interface Circumstances {
  /** The queue that it was taken from. */
  readonly queue: string;
  readonly nowMs: number;
  readonly dialect: Dialect;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * `dropped`: it is kept nowhere, as it asked for itself; `text` is what would have been kept. Nobody waits for a job that
 * is told to be dead: when an operator lets it run again, it is not of the ledger's any more.
 */
export type Fate =
  | { readonly kind: 'retry'; readonly text: string; readonly waitMs: number }
  | { readonly kind: 'dead' | 'dropped'; readonly text: string };

export function fateOf(job: QueuedJob, failure: Failure, circumstances: Circumstances): Fate {
  const { nowMs, dialect, random } = circumstances;
  const count = (job.retryCount ?? -1) + 1;
  const members = failedMembers(job, failure, count, circumstances);
  const isOnlyOnce = memberOf(job, 'retry') === false && !failure.isUnknown;
  if (isOnlyOnce && !failure.isFinal) return { kind: 'dropped', text: textOf(untracked(members)) };
  if (failure.isFinal || isExhausted(job, count, nowMs, dialect)) return buried(job, members, circumstances);
  return { kind: 'retry', text: textOf(members), waitMs: failure.waitMs ?? sidekiqWaitMs(count, dialect, random) };
}

/** A job that is run later without having failed: as it would lie in the schedule. */
export function postponedText({ members }: QueuedJob, queue: string): string {
  const postponed = new Map(members).set('queue', JSON.stringify(queue));
  postponed.delete('enqueued_at');
  return textOf(postponed);
}

/** A job that was held by one host after the other that died; none of them could write a failure into it. */
export function poisonedText(job: QueuedJob, circumstances: Circumstances): string {
  const failure: Failure = { class: 'Sluice::HostDied', message: POISONED, backtrace: [], isFinal: true };
  return textOf(untracked(failedMembers(job, failure, job.retryCount ?? 0, circumstances)));
}

/** 15 s and the fourth power of the number of retries, with a jitter that grows with it. */
function sidekiqWaitMs(count: number, dialect: Dialect, random: () => number): number {
  const jitter = dialect === '8' ? Math.floor(random() * 10 * (count + 1)) : Math.floor(random() * 10) * (count + 1);
  return (count ** 4 + 15 + jitter) * 1_000;
}

function failedMembers(job: QueuedJob, failure: Failure, count: number, { queue, nowMs, dialect }: Circumstances) {
  const members = new Map(job.members);
  members.set('queue', isTrue(job, 'retry_queue') ? (job.members.get('retry_queue') as string) : JSON.stringify(queue));
  members.set('error_message', JSON.stringify(shortened(failure.message)));
  members.set('error_class', JSON.stringify(failure.class));
  members.set(job.retryCount === undefined ? 'failed_at' : 'retried_at', timeText(nowMs, dialect));
  members.set('retry_count', String(count));
  if (memberOf(job, 'retry') === null) members.set('retry', 'true');
  if (isTrue(job, 'backtrace')) members.set('error_backtrace', backtraceText(job, failure.backtrace, dialect));
  return members;
}

/** Sidekiq 8 goes by time alone where the job names one; 7 by whichever comes first. */
function isExhausted(job: QueuedJob, count: number, nowMs: number, dialect: Dialect): boolean {
  const retryForS = memberOf(job, 'retry_for');
  const isTimed = typeof retryForS === 'number';
  const failedAtMs = job.retryCount === undefined ? nowMs : (millisecondsOf(memberOf(job, 'failed_at')) ?? nowMs);
  if (isTimed && failedAtMs + retryForS * 1_000 < nowMs) return true;
  return !(isTimed && dialect === '8') && count >= retriesOf(job);
}

function retriesOf(job: QueuedJob): number {
  const retries = memberOf(job, 'retry');
  return /^-?\d+$/.test(job.members.get('retry') ?? '') ? Number(retries) : DEFAULT_RETRIES;
}

function buried(job: QueuedJob, members: Map<string, string>, { nowMs, dialect }: Circumstances): Fate {
  const isKept = memberOf(job, 'dead') !== false;
  if (!isKept && dialect === '8') members.set('discarded_at', timeText(nowMs, dialect));
  return { kind: isKept ? 'dead' : 'dropped', text: textOf(untracked(members)) };
}

function backtraceText(job: QueuedJob, backtrace: readonly string[], dialect: Dialect): string {
  const wanted = memberOf(job, 'backtrace');
  const lines = wanted === true ? backtrace : backtrace.slice(0, Number.parseInt(String(wanted), 10) || 0);
  const base64 = deflateSync(JSON.stringify(lines)).toString('base64');
  if (dialect === '8') return JSON.stringify(base64);
  return JSON.stringify(base64.replace(new RegExp(`.{1,${BASE64_LINE}}`, 'g'), '$&\n'));
}

/** By characters as Ruby counts them. */
function shortened(message: string): string {
  const kept = message.length <= MESSAGE_CHARS ? message : [...message].slice(0, MESSAGE_CHARS).join('');
  return kept.toWellFormed();
}

function memberOf({ members }: QueuedJob, name: string): unknown {
  return JSON.parse(members.get(name) ?? 'null') as unknown;
}

/** What Ruby takes for true. */
function isTrue(job: QueuedJob, name: string): boolean {
  const value = memberOf(job, name);
  return value !== null && value !== false;
}
