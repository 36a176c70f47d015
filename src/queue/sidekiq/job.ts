/**
 * A job as it lies on a Sidekiq queue, whoever wrote it: read tolerantly, since what Ruby would run must run here too. Its
 * members keep their text through every rewrite. Pure.
 */
import { sourceOf } from '../../job/identity.ts';
import type { JobAbout } from '../../job/job.ts';
import { type Members, objectText } from '../../job/json-members.ts';
import { parseExactly } from '../../job/json-values.ts';
import { aboutIn } from '../../job/options.ts';
import { DEEPEST, millisecondsOf } from '../../job/sidekiq-job.ts';

/** ActiveJob's wrappers, of Rails and of Sidekiq 8: the class that counts is the wrapped one. */
const WRAPPERS = ['ActiveJob::QueueAdapters::SidekiqAdapter::JobWrapper', 'Sidekiq::ActiveJob::Wrapper'];

export interface QueuedJob {
  /** The class that runs it; undefined: none that can be read. */
  readonly class: string | undefined;
  /** What `perform` is called with; undefined: nothing that can be read. */
  readonly args: readonly unknown[] | undefined;
  readonly jid: string;
  readonly createdAtMs: number | undefined;
  /** From 0; undefined: it never failed. */
  readonly retryCount: number | undefined;
  readonly about: JobAbout | undefined;
  /** The id of a job from Kafka whose end its bridge waits for. */
  readonly source: string | undefined;
  /** The id of any job from Kafka. */
  readonly origin: string | undefined;
  /** Every field as it is written. */
  readonly members: Members;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined: no JSON object, which Ruby cannot run, retry or count either. */
export function readJob(raw: Buffer): QueuedJob | undefined {
  try {
    const text = UTF8.decode(raw);
    const value = parseExactly(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const { members, depth } = objectText(text);
    return depth > DEEPEST ? undefined : queuedJob(value as Record<string, unknown>, members);
  } catch {
    return undefined;
  }
}

function queuedJob(value: Record<string, unknown>, members: Members): QueuedJob {
  const isWrapped =
    typeof value.class === 'string' && WRAPPERS.includes(value.class) && typeof value.wrapped === 'string';
  const source = jobIdIn(value.sl, 'source');
  return {
    class: textIn(isWrapped ? value.wrapped : value.class)?.replace(/^::/, ''),
    args: listIn(isWrapped ? wrappedArguments(value.args) : value.args),
    jid: textIn(value.jid) ?? '',
    createdAtMs: millisecondsOf(value.created_at),
    retryCount: Number.isSafeInteger(value.retry_count) ? (value.retry_count as number) : undefined,
    about: aboutIn(value),
    source,
    origin: source ?? jobIdIn(value.sl, 'from'),
    members,
  };
}

/** ActiveJob calls with the arguments that lie in the only argument of its wrapper. */
function wrappedArguments(args: unknown): unknown {
  return Array.isArray(args) ? (Reflect.get(Object(args[0]), 'arguments') as unknown) : undefined;
}

function jobIdIn(about: unknown, name: string): string | undefined {
  const id: unknown = Reflect.get(Object(about), name);
  return typeof id === 'string' && sourceOf(id) !== undefined ? id : undefined;
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function listIn(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
