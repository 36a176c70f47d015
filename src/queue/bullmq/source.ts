/**
 * A BullMQ queue as Sluice's own host takes jobs from it: many in one script call, and many completed in one, with the
 * guard and the ledger inside (take-many-bullmq.lua, finish-many-bullmq.lua). The scripts do what BullMQ's own do; where
 * another BullMQ than the compared one is installed, they call its text, job by job.
 */
import { isSluiceError } from '../../errors.ts';
import { type Redis, redisError } from '../../redis/connection.ts';
import { sourcesKey, takingsKey } from '../../redis/keys.ts';
import { lua, runScript, script } from '../../redis/script.ts';
import { asFunction, digestOf, stockText } from './stock-scripts.ts';

/** Workers must be able to make room in a Redis that is full. */
const ALLOW_OOM = '#!lua flags=allow-oom';
const COMMON = [ALLOW_OOM, lua('ledger'), lua('entries')];
const TAKE = script(...COMMON, lua('guard-bullmq'), asFunction('moveToActive'), lua('take-many-bullmq'));
const LOCK = script(ALLOW_OOM, lua('lock-many-bullmq'));
const FINISH = script(...COMMON, asFunction('moveToFinished'), lua('finish-many-bullmq'));

/** How long a host waits for the bridge to reconcile. */
const REFUSED_WAIT_MS = 250;

/** Digest of the scripts that ours stand for (BullMQ 6.7.0). */
const TESTED_DIGEST = '425418add7cd28bd';

/** A job's hash as Redis keeps it. */
export type RawJob = Readonly<Record<string, string>>;

export interface TakenRaw {
  readonly id: string;
  readonly raw: RawJob;
  /** Otherwise nothing in Redis but its place tells that it runs. */
  readonly isLocked: boolean;
}

export interface Take {
  readonly jobs: readonly TakenRaw[];
  /** Of the reply, roughly: the characters of its texts. */
  readonly chars: number;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly nowMs: number;
  /** Nothing is to be taken for so long; 0: no limit. */
  readonly limitedMs: number;
  /** When the next delayed job is due, in milliseconds since the epoch; 0: none. */
  readonly nextDueMs: number;
  /** Jobs whose ledger is not reconciled. */
  readonly refused: number;
}

export interface Completion {
  readonly id: string;
  readonly token: string;
  /** JSON. */
  readonly returnValue: string;
  /** BullMQ's `removeOnComplete` as its stored form: `0` keeps nothing, `-1` all, else JSON. */
  readonly keep: string;
}

/** A job that was taken without a lock. */
export interface Unlocked {
  readonly id: string;
  readonly token: string;
  /** Milliseconds since the epoch, by Redis's clock. */
  readonly processedOn: number;
}

export interface BullSource {
  /** Makes the scripts known to Redis. */
  load(): Promise<void>;
  /**
   * At most `most` jobs, locked with `token`, which must be new for each call; with `locksLater`, those from Kafka that were
   * never taken before are not. A lock is the dearest of what taking writes, and most jobs are through before anybody asks for it.
   */
  take(most: number, token: string, locksLater?: boolean): Promise<Take>;
  /** Whether each is locked now; not where others have moved it, it has ended, or it was made again after a loss of Redis. */
  lock(jobs: readonly Unlocked[]): Promise<readonly boolean[]>;
  /** For each job 0, BullMQ's negative code, or the text of an error. */
  complete(jobs: readonly Completion[]): Promise<readonly (number | string)[]>;
}

export interface BullSourceOptions {
  readonly connection: Redis;
  readonly queue: string;
  /** `bull:mail:` */
  readonly keyPrefix: string;
  readonly lockMs: number;
  /** Minutes of BullMQ's metrics; none: they are not counted. */
  readonly metricsPoints?: number;
  /** BullMQ's own scripts are called. */
  readonly isStock: boolean;
}

let isTested: boolean | undefined;

/** Whether the installed BullMQ is the one that the scripts were compared with. */
export function isTestedSource(): boolean {
  isTested ??=
    digestOf({ moveToActive: stockText('moveToActive'), moveToFinished: stockText('moveToFinished') }) ===
    TESTED_DIGEST;
  return isTested;
}

type TakeReply = [number, number, number, number, string[], ...string[][]];

export function createBullSource(options: BullSourceOptions): BullSource {
  const { connection, queue, keyPrefix, lockMs, metricsPoints = '', isStock } = options;
  const [wait, active] = [[`${keyPrefix}wait`], [`${keyPrefix}active`]];
  const takings = takingsKey(keyPrefix);
  const common = [keyPrefix, queue, sourcesKey()];
  const stock = isStock ? 1 : 0;

  return {
    async load() {
      await Promise.all([TAKE, LOCK, FINISH].map(({ text }) => connection.script('LOAD', text)));
    },

    async take(most, token, locksLater = false) {
      const args = [...common, token, lockMs, most, REFUSED_WAIT_MS, stock, locksLater ? 1 : 0];
      const reply = (await runScript(connection, TAKE, [...wait, takings], args)) as TakeReply;
      const [nowMs, limitedMs, nextDueMs, refused] = reply;
      return { jobs: takenIn(reply, locksLater), chars: charsIn(reply), nowMs, limitedMs, nextDueMs, refused };
    },

    async lock(jobs) {
      const each = jobs.flatMap(({ id, token, processedOn }) => [id, token, processedOn]);
      const reply = (await runScript(connection, LOCK, [...active, takings], [keyPrefix, lockMs, ...each])) as number[];
      return reply.map((isLocked) => isLocked === 1);
    },

    async complete(jobs) {
      const args = [...common, metricsPoints, stock, ...groupsOf(jobs)];
      return (await runScript(connection, FINISH, active, args)) as (number | string)[];
    },
  };
}

/** Jobs side by side that are completed alike share what the script is told. */
function groupsOf(jobs: readonly Completion[]): (string | number)[] {
  const args: (string | number)[] = [];
  let head = 0;
  let last: Completion | undefined;
  for (const job of jobs) {
    const { id, token, returnValue, keep } = job;
    if (last?.token !== token || last.returnValue !== returnValue || last.keep !== keep) {
      head = args.length;
      args.push(token, returnValue, keep, 0);
    }
    args[head + 3] = (args[head + 3] as number) + 1;
    args.push(id);
    last = job;
  }
  return args;
}

function takenIn([, , , , texts, ...hashes]: TakeReply, locksLater: boolean): TakenRaw[] {
  const jobs: TakenRaw[] = [];
  const at = (i: number) => texts[i] as string;
  for (let i = 0; i < texts.length; i += TEXTS_OF_JOB) {
    if (at(i) === '') {
      const hash = hashes.shift() as string[];
      const id = hash.pop() as string;
      jobs.push({ id, raw: fieldsOf(hash), isLocked: true });
    } else {
      const isLocked = !(locksLater && looksFromKafka(at(i)));
      jobs.push({ id: at(i), raw: freshJob(at(i + 1), at(i + 2), at(i + 3), at(i + 4)), isLocked });
    }
  }
  return jobs;
}

const TEXTS_OF_JOB = 5;

/** As the scripts tell it, by the look of the id alone. */
function looksFromKafka(id: string): boolean {
  return id.startsWith('k~');
}

function charsIn([, , , , ...lists]: TakeReply): number {
  return lists.reduce((sum, list) => list.reduce((chars, { length }) => chars + length, sum), 0);
}

/** As most jobs are when they are taken for the first time. */
function freshJob(name: string, data: string, opts: string, timestamp: string): RawJob {
  return { name, data, opts, timestamp, delay: '0', priority: '0', ats: '1' };
}

function fieldsOf(list: readonly string[]): RawJob {
  const fields: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) fields[list[i] as string] = list[i + 1] as string;
  return fields;
}

/** What BullMQ's scripts answer, as far as it concerns one job. */
const CODES: Readonly<Record<number, string>> = {
  [-1]: 'the job is gone: somebody has removed it',
  [-2]: 'the lock of the job has run out',
  [-3]: 'the job is not active any more: others have moved it',
  [-4]: 'the job has children that are not finished',
  [-6]: 'the job was given to another run of it, which has its lock',
  [-9]: 'children of the job have failed',
};

/** An outcome was not written for what became of this one job; nothing is wrong with its queue. */
export class JobError extends Error {
  readonly jobId: string;
  /** The same for all jobs that it happens to alike. */
  readonly kind: string;

  constructor(jobId: string, reason: string, kind = reason) {
    super(reason);
    this.name = 'JobError';
    this.jobId = jobId;
    this.kind = kind;
  }
}

/** The error of a code of BullMQ's. */
export function jobErrorOf(id: string, code: number): JobError {
  return new JobError(id, CODES[code] ?? `BullMQ's code ${code}`);
}

/** Why a job could not be completed: a `JobError`, unless it is nothing about this job. `verdict`: see `complete`. */
export function completionError({ id }: Completion, verdict: unknown): unknown {
  if (typeof verdict === 'number') return jobErrorOf(id, verdict);
  const isOfJob = typeof verdict === 'string' && !isRefusal(verdict);
  return isOfJob ? new JobError(id, verdict, 'script') : verdict;
}

/** Whether Redis refused to complete a job for now: while it fails over, loads or is full. `verdict`: see `complete`. */
export function isRefusal(verdict: unknown): boolean {
  return typeof verdict !== 'number' && isSluiceError(redisError('', verdict), 'REDIS_REFUSES');
}
