/** What a dead Sidekiq job tells, in the fields that Ruby writes when it fails (Sidekiq's job_retry.rb). */
import { inflateSync } from 'node:zlib';
import { sidekiqEventIdOf } from '../../job/event-id.ts';
import type { JobAbout } from '../../job/job.ts';
import { aboutIn } from '../../job/options.ts';
import { millisecondsOf } from '../../job/sidekiq-job.ts';
import type { DeadJobReport } from '../sink.ts';

/** `text`: the job's JSON; null when nothing is reported. */
export function deadJobReport(text: string | null): DeadJobReport | undefined {
  if (text === null) return undefined;
  const job = parsed(text);
  return {
    name: textOf(job.wrapped) || textOf(job.class),
    data: text,
    about: aboutOf(job),
    reason: [textOf(job.error_class), textOf(job.error_message)].filter(Boolean).join(': '),
    stack: stackOf(job.error_backtrace),
    // The first failure counts as retry 0.
    attempts: typeof job.retry_count === 'number' ? job.retry_count + 1 : 1,
    createdAt: Math.round(millisecondsOf(job.created_at) ?? 0),
    failedAt: Math.round(millisecondsOf(job.retried_at ?? job.failed_at) ?? 0),
    queue: textOf(job.queue),
  };
}

/** With the id that its workers have seen. */
function aboutOf(job: Record<string, unknown>): JobAbout {
  const about = aboutIn(job) ?? {};
  const { source, from } = Object(job.sl) as Record<string, unknown>;
  const origin = textOf(source) || textOf(from);
  return about.id !== undefined || origin === ''
    ? about
    : { ...about, id: sidekiqEventIdOf(origin, millisecondsOf(job.created_at)) };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Base64 of zlib of a JSON list of lines; before Sidekiq 6.4, the list itself. */
function stackOf(backtrace: unknown): string {
  try {
    const lines: unknown =
      typeof backtrace === 'string' ? JSON.parse(inflateSync(Buffer.from(backtrace, 'base64')).toString()) : backtrace;
    return Array.isArray(lines) ? lines.map((line) => `  at ${String(line)}`).join('\n') : '';
  } catch {
    return '';
  }
}
