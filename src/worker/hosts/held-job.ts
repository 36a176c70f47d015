/**
 * A job that a host has taken, as Redis's hash tells it, and as the attempt sees it. What most jobs need is read at once, and
 * the rest when it is asked for; BullMQ's `Job`, which knows how to fail, to be delayed and to be given back, is made for
 * those that need it.
 */
import { type Job, type JobJson, raw2NextJobData } from 'bullmq';
import { messageOf } from '../../errors.ts';
import type { JobAbout } from '../../job/job.ts';
import { aboutInText } from '../../job/options.ts';
import { JobError, jobErrorOf, type TakenRaw } from '../../queue/bullmq/source.ts';
import type { TakenJob } from '../attempt.ts';

/** What a job needs of its host. */
export interface Holder {
  make(json: JobJson, id: string): Job;
  /** Whether its lock is this host's now. */
  own(held: HeldJob): Promise<boolean>;
}

type Options = Readonly<Record<string, unknown>>;

/** A write to the queue failed that was no failure of the job: the job stays active, for the stalled check to find. */
export class NotRecordedError extends Error {
  constructor(cause: unknown) {
    super(`an outcome was not recorded: ${messageOf(cause)}`, { cause });
    this.name = 'NotRecordedError';
  }
}

/** Why nothing was written of the job: a `JobError` where the reason lies in it alone. */
export function ownError({ id }: HeldJob, error: unknown): unknown {
  const cause = error instanceof NotRecordedError ? error.cause : error;
  if (cause instanceof JobError) return cause;
  // BullMQ's own errors of a job have its scripts' negative codes; those of connections have names.
  const code: unknown = Reflect.get(Object(cause), 'code');
  return typeof code === 'number' && code < 0 ? jobErrorOf(id, code) : error;
}

/** What jobs that are taken in one call have in common. Times are milliseconds since the epoch. */
export interface Taking {
  readonly queue: string;
  readonly token: string;
  /** By Redis's clock. */
  readonly nowMs: number;
  /** When it was called, by the host's clock. */
  readonly askedAt: number;
}

export class HeldJob implements TakenJob {
  readonly id: string;
  readonly queue: string;
  readonly token: string;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly processedOn: number;
  /** As far as this host knows; KeptLocks sets it. */
  isLocked: boolean;
  /** KeptLocks's: how many of its looks were before it was kept. */
  lookedAfter = 0;
  /** Since when it may be held, in milliseconds since the epoch, by the host's clock: it was asked for then. */
  readonly askedAt: number;
  readonly name: string;
  /** Parsed JSON; undefined where it is none. */
  readonly data: unknown;
  /** Failed attempts. */
  readonly attemptsMade: number;
  /** How often a host took it. */
  readonly attemptsStarted: number;
  /** How often a host died that held it. */
  readonly stalledCounter: number;
  /** It failed while nobody ran it: BullMQ's own reason, or data that cannot be read. */
  readonly deferredFailure: string | undefined;
  readonly #raw: TakenRaw['raw'];
  readonly #holder: Holder;
  #opts: Options | undefined;
  #about: JobAbout | undefined;
  #job: Job | undefined;

  constructor({ id, raw, isLocked }: TakenRaw, { queue, token, nowMs, askedAt }: Taking, holder: Holder) {
    this.id = id;
    this.isLocked = isLocked;
    this.queue = queue;
    this.token = token;
    this.processedOn = nowMs;
    this.askedAt = askedAt;
    this.name = raw.name as string;
    this.attemptsMade = Number(raw.atm ?? 0);
    this.attemptsStarted = Number(raw.ats ?? 0);
    this.stalledCounter = Number(raw.stc ?? 0);
    this.deferredFailure = raw.defa;
    this.#raw = raw;
    this.#holder = holder;
    try {
      this.data = JSON.parse(raw.data || '{}');
    } catch (error) {
      this.deferredFailure ??= `the job's data is not JSON: ${messageOf(error)}`;
      this.#raw = { ...raw, data: '{}' };
    }
  }

  /** A run that took its host down has no outcome, and is an attempt all the same. */
  get attempt(): number {
    return this.attemptsMade + this.stalledCounter + 1;
  }

  get createdAt(): number {
    return Number(this.#raw.timestamp);
  }

  get about(): JobAbout | undefined {
    this.#about ??= aboutInText(this.#raw.opts);
    return this.#about;
  }

  /** As stored: names that BullMQ shortens are short. */
  get opts(): Options {
    this.#opts ??= optionsIn(this.#raw.opts);
    return this.#opts;
  }

  /** It is made by a job scheduler, whose next job has to be made when it is taken. */
  get isRepeated(): boolean {
    return this.#raw.rjk !== undefined;
  }

  /** Always the same. */
  get job(): Job {
    if (this.#job === undefined) {
      this.#job = this.#holder.make(this.json, this.id);
      this.#job.token = this.token;
      this.#job.processedOn = this.processedOn;
    }
    return this.#job;
  }

  /** Before anything but success is written of it: BullMQ asks for the lock. Rejects when the job is not this host's any more. */
  async own(): Promise<void> {
    const isOwn = await this.#holder.own(this).catch((error: unknown) => Promise.reject(new NotRecordedError(error)));
    if (!isOwn) throw this.troubled('the job is not active any more, or another host has its lock');
  }

  /** Nothing is written of the job, for a reason that lies in it alone. */
  troubled(reason: string): NotRecordedError {
    return new NotRecordedError(new JobError(this.id, reason));
  }

  get json(): JobJson {
    return raw2NextJobData([Object.entries(this.#raw).flat(), this.id, 0, 0])[0] as JobJson;
  }
}

function optionsIn(text: string | undefined): Options {
  try {
    const value: unknown = JSON.parse(text || '{}');
    return typeof value === 'object' && value !== null ? (value as Options) : {};
  } catch {
    return {};
  }
}
