/** An event on its way: it ends once, in exactly one outcome, at its deadline at the latest. */
import type { EndSignal } from '../end-signal.ts';
import { SluiceError } from '../errors.ts';
import type { EncodedEvent } from './tp2.ts';

/** `abandoned`: whoever tracked it waits no more. */
export type EventOutcome = 'accepted' | 'refused' | 'unavailable' | 'stopped' | 'abandoned';

export interface Pending {
  readonly event: EncodedEvent;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly isSettled: boolean;
  /** Resolves once accepted, rejects with what the event was settled with. */
  readonly done: Promise<void>;
  /** Why the last try failed, for whoever hears of the deadline. */
  lastReason: string;
  /** Where it is held, by whoever holds it. */
  place?: number;
  /** Only the first call counts. */
  settle(outcome: EventOutcome, error?: Error): void;
}

export interface PendingOptions {
  readonly event: EncodedEvent;
  readonly since: number;
  readonly deadlineMs: number;
  readonly signal: EndSignal | undefined;
  readonly onSettled: (pending: Pending, outcome: EventOutcome) => void;
}

export function createPending(options: PendingOptions): Pending {
  return new PendingEvent(options);
}

/** A class, and no object of functions, which would keep what they can reach for longer. */
class PendingEvent implements Pending {
  readonly event: EncodedEvent;
  readonly since: number;
  readonly done: Promise<void>;
  lastReason = 'it was not sent yet';
  place?: number;
  isSettled = false;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #signal: EndSignal | undefined;
  readonly #onAbort: () => void;
  readonly #onSettled: PendingOptions['onSettled'];
  readonly #timer: NodeJS.Timeout;

  constructor({ event, since, deadlineMs, signal, onSettled }: PendingOptions) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = () => this.settle('abandoned', signal?.reason as Error);
    const onDeadline = () => this.settle('unavailable', unavailable(deadlineMs, this.lastReason));
    this.event = event;
    this.since = since;
    this.done = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#onAbort = onAbort;
    this.#onSettled = onSettled;
    this.#timer = setTimeout(onDeadline, deadlineMs);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
  }

  settle(outcome: EventOutcome, error?: Error): void {
    if (this.isSettled) return;
    this.isSettled = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#onSettled(this, outcome);
    if (outcome === 'accepted') this.#resolve();
    else this.#reject(error);
  }
}

function unavailable(deadlineMs: number, lastReason: string): SluiceError {
  return new SluiceError(
    'COLLECTOR_UNAVAILABLE',
    `the collector did not accept the event within ${deadlineMs} ms; last: ${lastReason}`,
  );
}
