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

export function createPending({ event, since, deadlineMs, signal, onSettled }: PendingOptions): Pending {
  let isSettled = false;
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => pending.settle('unavailable', unavailable(deadlineMs, pending.lastReason)),
    deadlineMs,
  );
  const onAbort = () => pending.settle('abandoned', signal?.reason as Error);

  const pending: Pending = {
    event,
    since,
    done,
    lastReason: 'it was not sent yet',
    get isSettled() {
      return isSettled;
    },
    settle(outcome, error) {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      onSettled(pending, outcome);
      if (outcome === 'accepted') resolve();
      else reject(error);
    },
  };
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return pending;
}

function unavailable(deadlineMs: number, lastReason: string): SluiceError {
  return new SluiceError(
    'COLLECTOR_UNAVAILABLE',
    `the collector did not accept the event within ${deadlineMs} ms; last: ${lastReason}`,
  );
}
