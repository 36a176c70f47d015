/**
 * BullMQ's Worker with a loop of our own: connections, lock renewal, the stalled check and closing are BullMQ's, and so is
 * every outcome but success; jobs are taken and completed many in one call (queue/bullmq/source.ts).
 *
 * Five calls are under way at most, each a completion of all that has ended and, behind it on the same connection, the
 * taking of as many jobs as there is room for: a fifth of the concurrency, or a hundred, so that some run while others are in
 * Redis or wait there for their turn.
 * Nothing is taken beyond the concurrency: what has ended is completed before. While the queue is empty the worker sleeps on
 * BullMQ's marker.
 *
 * A job whose worker succeeded is never recorded as failed because its completion was refused: completing is tried
 * again, and at the worst the job stays active and runs once more. Jobs whose state in Redis is none of ours are reported
 * and left alone.
 */
import { UnrecoverableError, Worker, type WorkerOptions } from 'bullmq';
import { type BullSource, type Completion, completionError, isRefusal, type Take } from '../../queue/bullmq/source.ts';
import type { timedBackend } from '../../queue/bullmq/timed-backend.ts';
import { HeldJob, type Holder, NotRecordedError, ownError } from './held-job.ts';
import { KeptLocks } from './kept-locks.ts';

/** Host and Redis wait for each other the less the more calls are on their way between them. */
const CALLS_UNDER_WAY = 5;
/** A job costs Redis the more the fewer there are in a call: few places are shared by three calls, or by two. */
const ENOUGH_A_CALL = 100;
const LEAST_A_CALL = 50;
/** Redis does nothing else for about 12 us a job. */
const MOST_A_CALL = 200;
/**
 * Redis writes 64 KiB of a reply at most before it reads on: of a longer one, the rest comes when the next call has been
 * through its script, and the host is idle for so long. In characters, which may be more bytes.
 */
const REPLY_CHARS = 56_000;
/** Until the first reply. */
const JOB_CHARS = 500;
/** Redis refuses while it fails over or loads; the lock is renewed as far as Redis lets us. */
const COMPLETE_AGAIN_MS = 250;
const ASK_AGAIN_MS = 1_000;
/** Due jobs are promoted by who takes: a limited queue is looked at so often. */
const LONGEST_LIMIT_MS = 30_000;

export interface LaneOptions {
  readonly source: BullSource;
  /** Resolves with what is kept of a job that is completed (`Completion.keep`); rejects with what BullMQ understands. */
  readonly run: (held: HeldJob) => Promise<string>;
  readonly onRefused: () => void;
}

interface Ended extends Completion {
  readonly held: HeldJob;
}

export class LaneWorker extends Worker {
  readonly #lanes: LaneOptions;
  /** Jobs that run, and those that are asked for. */
  #places = 0;
  #ended: Ended[] = [];
  #callsUnderWay = 0;
  #takesUnderWay = 0;
  /** Reasons to take, and how many of them a call has found nothing more for. */
  #reasons = 1;
  #answered = 0;
  #isWaiting = false;
  /** Whether the last take got all that it asked for. */
  #isPlenty = false;
  /** What forbids to take for a while; no clock is asked, which may be set back. */
  #pauses = 0;
  #dueAt = 0;
  #aheadMs = 0;
  #tokens = 0;
  readonly #locks: KeptLocks;
  readonly #holder: Holder;
  /** Of the last reply, a job. */
  #jobChars = JOB_CHARS;
  #isPumpDue = false;
  readonly #through = Promise.withResolvers<void>();

  constructor(queue: string, settings: WorkerOptions, backend: ReturnType<typeof timedBackend>, lanes: LaneOptions) {
    super(queue, null, { ...settings, autorun: false }, backend);
    this.#lanes = lanes;
    this.#locks = new KeptLocks(this.lockManager, lanes.source, this);
    this.#holder = { make: (json, id) => this.createJob(json, id), own: (held) => this.#locks.own(held) };
    this.once('closing', () => this.#pumpSoon());
  }

  override async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      await this.startStalledCheckTimer();
      this.lockManager.start();
      this.#locks.start();
      this.mainLoopRunning = this.#through.promise;
      // A script that Redis does not know is sent again, and would be overtaken by the next.
      this.#lanes.source.load().catch((error: unknown) => this.#report(error));
      this.#pump();
      await this.mainLoopRunning;
    } finally {
      this.#locks.stop();
      this.running = false;
    }
  }

  /** Lets go of the own connection when closing did not; the shared one is the caller's. */
  async release(): Promise<void> {
    if (this.closed === undefined) await this.backend.disconnectBlocking(false);
  }

  /** Once what is at hand has been dealt with: jobs that end together are completed together. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#callsUnderWay < CALLS_UNDER_WAY) {
      const ended = this.#ended.splice(0, MOST_A_CALL);
      const room = this.#room(ended.length > 0);
      if (ended.length === 0 && room === 0) break;
      this.#call(ended, room);
    }
    const isIdle = this.#places + this.#ended.length + this.#callsUnderWay === 0 && !this.#isWaiting;
    if (this.closing !== undefined && isIdle) this.#through.resolve();
  }

  /** How many jobs to take now. Whoever completes a job looks for the next, as BullMQ does. */
  #room(isCompleting: boolean): number {
    if (this.closing !== undefined || this.#pauses > 0) return 0;
    const isOpen = this.#reasons > this.#answered && !this.#isWaiting;
    // Where there is little to take, one asks for it.
    if (!isCompleting && !(isOpen && (this.#takesUnderWay === 0 || this.#isPlenty))) return 0;
    const free = this.concurrency - this.#places - this.#ended.length;
    const fitting = Math.max(1, Math.floor(REPLY_CHARS / this.#jobChars));
    return Math.max(0, Math.min(free, this.#share, MOST_A_CALL, fitting));
  }

  get #share(): number {
    const part = (calls: number) => Math.ceil(this.concurrency / calls);
    return Math.max(part(CALLS_UNDER_WAY), Math.min(part(3), ENOUGH_A_CALL), Math.min(part(2), LEAST_A_CALL));
  }

  #call(ended: readonly Ended[], room: number): void {
    this.#callsUnderWay += 1;
    // Sent back to back: Redis completes before it takes.
    const calls = [ended.length > 0 && this.#complete(ended), room > 0 && this.#take(room)];
    void Promise.all(calls).then(() => {
      this.#callsUnderWay -= 1;
      this.#pump();
    });
  }

  async #take(room: number): Promise<void> {
    const reasons = this.#reasons;
    this.#tokens += 1;
    const token = `${this.id}:${this.#tokens}`;
    const askedAt = Date.now();
    this.#places += room;
    this.#takesUnderWay += 1;
    try {
      const take = await this.#lanes.source.take(room, token, this.#locks.areLater);
      this.#places -= room - take.jobs.length;
      const taking = { queue: this.name, token, nowMs: take.nowMs, askedAt };
      for (const each of take.jobs) this.#begin(new HeldJob(each, taking, this.#holder));
      this.#heed(take, room, reasons);
    } catch (error) {
      this.#places -= room;
      this.#report(error);
      this.#pause(ASK_AGAIN_MS);
    } finally {
      this.#takesUnderWay -= 1;
    }
  }

  /** What a take says of the next one. */
  #heed({ jobs, chars, nowMs, limitedMs, nextDueMs, refused }: Take, room: number, reasons: number): void {
    this.#aheadMs = Date.now() - nowMs;
    if (jobs.length > 0) this.#jobChars = Math.max(1, chars / jobs.length);
    if (refused > 0) this.#lanes.onRefused();
    this.#isPlenty = jobs.length === room;
    if (limitedMs > 0) this.#pause(Math.min(limitedMs, LONGEST_LIMIT_MS));
    if (limitedMs > 0 || this.#isPlenty) return;
    this.#answered = Math.max(this.#answered, reasons);
    this.#dueAt = nextDueMs === 0 ? 0 : nextDueMs + this.#aheadMs;
    // A marker that came meanwhile is another reason, and was taken: nobody would wake the worker for it again.
    if (this.#answered === this.#reasons && !this.#isWaiting && this.closing === undefined) void this.#wait();
  }

  #pause(ms: number): void {
    this.#pauses += 1;
    const resume = () => {
      this.#pauses -= 1;
      this.#lookAgain();
    };
    setTimeout(resume, ms).unref();
  }

  #lookAgain(): void {
    this.#reasons += 1;
    this.#pumpSoon();
  }

  /** Sleeps on the queue's marker. */
  async #wait(): Promise<void> {
    this.#isWaiting = true;
    try {
      while (this.closing === undefined && !(await this.#isWoken()));
    } catch (error) {
      if (this.closing === undefined) await this.#mend(error);
    }
    this.#isWaiting = false;
    this.#lookAgain();
  }

  /** A marker with a time is that of a delayed job: there is nothing to take before, unless another marker comes. */
  async #isWoken(): Promise<boolean> {
    const seconds = this.getBlockTimeout(this.#dueAt);
    if (seconds <= 0) return true;
    const marker = await this.backend.waitForJob(seconds);
    const dueAt = marker === null || marker.score === 0 ? 0 : marker.score + this.#aheadMs;
    this.#dueAt = this.#dueAt === 0 ? dueAt : Math.min(this.#dueAt, dueAt);
    return this.#dueAt - Date.now() < 1;
  }

  async #mend(error: unknown): Promise<void> {
    this.#report(error);
    await this.backend.reconnectBlocking().catch((reason: unknown) => this.#report(reason));
    await this.delay(ASK_AGAIN_MS);
  }

  #begin(held: HeldJob): void {
    this.#locks.keep(held);
    this.#toEnd(held).then(
      (keep) => this.#succeeded(held, keep),
      (error: unknown) => this.#failed(held, error),
    );
  }

  async #toEnd(held: HeldJob): Promise<string> {
    if (held.isRepeated) await this.#scheduleNext(held);
    if (held.deferredFailure !== undefined) throw new UnrecoverableError(held.deferredFailure);
    return this.#lanes.run(held);
  }

  async #scheduleNext(held: HeldJob): Promise<void> {
    const next = await this.nextJobFromJobData(held.json, held.id, held.token);
    if (next === undefined) throw held.troubled('the next job of its scheduler could not be made');
  }

  #succeeded(held: HeldJob, keep: string): void {
    this.#locks.leave(held);
    this.#places -= 1;
    this.#ended.push({ id: held.id, token: held.token, returnValue: 'null', keep, held });
    this.#pumpSoon();
  }

  async #failed(held: HeldJob, error: unknown): Promise<void> {
    try {
      if (error instanceof NotRecordedError) throw error;
      await held.own();
      this.#locks.leave(held);
      await this.handleFailed(error as Error, held.job, held.token, () => false);
    } catch (reason) {
      this.#locks.leave(held);
      this.#report(ownError(held, reason));
    }
    this.#places -= 1;
    this.#lookAgain();
  }

  async #complete(ended: readonly Ended[]): Promise<void> {
    const verdicts = await this.#lanes.source.complete(ended).catch((error: unknown) => ended.map(() => error));
    const refused: Ended[] = [];
    for (const [i, completion] of ended.entries()) {
      const verdict = verdicts[i];
      if (verdict === 0) continue;
      if (isRefusal(verdict) && this.closing === undefined) refused.push(completion);
      this.#report(completionError(completion, verdict));
    }
    if (refused.length > 0) void this.#completeAgain(refused);
  }

  async #completeAgain(refused: readonly Ended[]): Promise<void> {
    this.#places += refused.length;
    this.#locks.keepOn(refused.map(({ held }) => held));
    await this.delay(COMPLETE_AGAIN_MS);
    for (const { held } of refused) this.#locks.leave(held);
    this.#places -= refused.length;
    this.#ended.push(...refused);
    this.#pumpSoon();
  }

  #report(error: unknown): void {
    this.emit('error', error instanceof Error ? error : new Error(String(error)));
  }
}
