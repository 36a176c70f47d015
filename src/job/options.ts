/**
 * The options of a job in BullMQ's stored form, the same for a job from Kafka and a direct one.
 * A stock worker honours attempts and backoff (without the ceiling, which BullMQ does not know).
 * Dead jobs are kept until their letter is written. Completed ones are not kept, so that nobody's history is trimmed by
 * ours; those from Kafka are kept until the bridge has seen them completed, or they would look like removed ones.
 * A lean queue's jobs leave to Sluice's own hosts what those decide by themselves. That dead ones are kept is said all the same:
 * a stock worker that runs such a queue by mistake may have a history setting, which would take them before their letters.
 */
import type { Backoff } from '../backoff.ts';
import type { Job, JobAbout } from './job.ts';

interface BullBackoff {
  readonly type: 'exponential';
  readonly delay: number;
  readonly jitter: number;
}

export interface BullOptions {
  readonly attempts?: number;
  readonly backoff?: BullBackoff;
  readonly removeOnComplete?: boolean;
  readonly removeOnFail: false;
  readonly delay?: number;
  readonly priority?: number;
  readonly sl: Job['about'];
}

/** `isSettled`: whether a bridge waits to see the job completed, and takes it away then. */
export function bullOptions(job: Job, isSettled: boolean): BullOptions {
  return {
    ...(job.attempts !== undefined && { attempts: job.attempts }),
    ...(job.backoff !== undefined && { backoff: bullBackoff(job.backoff), removeOnComplete: !isSettled }),
    removeOnFail: false,
    ...(job.delayMs > 0 && { delay: job.delayMs }),
    ...(job.priority > 0 && { priority: job.priority }),
    sl: job.about,
  };
}

function bullBackoff({ baseMs }: Backoff): BullBackoff {
  return { type: 'exponential', delay: baseMs, jitter: 1 };
}

/** What rides in a job's options. Anybody may write them; what is not of our shape is not believed. */
export function aboutIn(options: unknown): JobAbout | undefined {
  const about: unknown = Reflect.get(Object(options), 'sl');
  if (typeof about !== 'object' || about === null) return undefined;
  const { key, id, headers } = about as Record<string, unknown>;
  return {
    ...(isText(key) && { key }),
    ...(isText(id) && id !== '' && { id }),
    ...(isTextMap(headers) && { headers }),
  };
}

/** Of options as they are stored. Sluice writes `sl` last, and hosts read nothing else of most jobs: the rest is not parsed then. */
export function aboutInText(options: string | undefined): JobAbout | undefined {
  const at = options?.indexOf(SL) ?? -1;
  if (options === undefined || at < 0) return undefined;
  const own = at === options.lastIndexOf(SL) ? parsed(options.slice(at + SL.length, -1)) : undefined;
  return aboutIn(own === undefined ? parsed(options) : { sl: own });
}

const SL = '"sl":';

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextMap(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every(isText);
}
