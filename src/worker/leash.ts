/**
 * How long a run may last: until it ends, its time is up, or the job must be let go. Whichever comes first is its outcome;
 * a worker that does not listen to its signal is left behind, and its result no longer counts.
 */
import { failureOf, isOutcome } from '../definition/outcomes.ts';
import type { Outcome } from '../definition/worker.ts';
import { type EndSignal, PlainEnd } from '../end-signal.ts';
import { SluiceError } from '../errors.ts';

/** A year. BullMQ keeps due times multiplied by 4096 in doubles, which ends not far beyond ten. */
const LONGEST_WAIT_MS = 365 * 24 * 3_600_000;

type Result = Outcome | void;

export class Leash {
  /** Fires on either: for what listens on behalf of the run. */
  readonly end = new PlainEnd();
  readonly #outer: EndSignal;
  readonly #timeoutMs: number;
  #isOver = false;
  #own: AbortController | undefined;

  /** `outer` fires when the job must be let go. */
  constructor(outer: EndSignal, timeoutMs: number) {
    this.#outer = outer;
    this.#timeoutMs = timeoutMs;
  }

  /** As `end`; made for who asks for it. */
  get signal(): AbortSignal {
    if (this.#own === undefined) {
      this.#own = new AbortController();
      if (this.end.aborted) this.#own.abort(this.end.reason);
    }
    return this.#own.signal;
  }

  /** Its outcome is there, though the run may not have ended. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Answers at once where the worker does. */
  outcomeOf(work: () => Promise<Result> | Result): Promise<Outcome> | Outcome {
    if (this.#outer.aborted) return failureOf(this.#outer.reason);
    try {
      const result = work();
      return isThenable(result) ? this.#outcomeOf(result) : success(result);
    } catch (error) {
      return failureOf(error);
    }
  }

  #outcomeOf(running: Promise<Result>): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const letGo = (reason: unknown) => {
      end(failureOf(reason));
      this.end.abort(reason);
      this.#own?.abort(reason);
    };
    const onAbort = () => letGo(this.#outer.reason);
    const timer = setTimeout(() => letGo(tooLong(this.#timeoutMs)), this.#timeoutMs);
    const end = (outcome: Outcome) => {
      this.#isOver = true;
      clearTimeout(timer);
      this.#outer.removeEventListener('abort', onAbort);
      resolve(outcome);
    };
    this.#outer.addEventListener('abort', onAbort, ONCE);
    if (this.#outer.aborted) onAbort();
    running.then(
      (value) => end(success(value)),
      (error: unknown) => end(failureOf(error)),
    );
    return promise;
  }
}

const ONCE = { once: true };

function tooLong(timeoutMs: number): SluiceError {
  return new SluiceError('TIMEOUT', `the worker took longer than ${timeoutMs} ms`);
}

function isThenable(value: unknown): value is Promise<Result> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function';
}

const DONE: Outcome = { kind: 'done' };

/** A worker may return anything: what is no outcome is nothing. */
function success(result: unknown): Outcome {
  return isOutcome(result) ? carriedOut(result) : DONE;
}

/** JavaScript lets a worker return what no queue can carry out: that is a failure of its own. */
function carriedOut(outcome: Outcome): Outcome {
  const afterMs: unknown = Reflect.get(outcome, 'afterMs');
  const isFit = typeof afterMs === 'number' && afterMs >= 0 && afterMs <= LONGEST_WAIT_MS;
  if (outcome.kind === 'snooze' ? !isFit : afterMs !== undefined && !isFit) {
    const reason = `the worker returned ${outcome.kind} with afterMs ${String(afterMs)}; allowed: 0 to ${LONGEST_WAIT_MS} milliseconds`;
    return { kind: 'retry', reason };
  }
  if (outcome.kind === 'done' || outcome.kind === 'snooze') return outcome;
  return { ...outcome, reason: String(outcome.reason ?? 'no reason given') };
}
