/**
 * The answer to a loss of Redis, partition by partition: from the moment it is noticed until everything that Redis had
 * held, and that is not finished, is enqueued again. Only tells; what is done about the loss is the claim's business.
 */
import type { Enqueued } from '../queue/sink.ts';

/** A loss that has been made good. Times are milliseconds since the epoch. */
export interface Loss {
  readonly topic: string;
  readonly partition: number;
  readonly at: number;
  /** `emptied`: Redis held nothing of the partition any more. `restored`: it held an older state. */
  readonly kind: 'emptied' | 'restored';
  /** Last offset that Redis had held, and the last that it held still, -1 for none. */
  readonly reached: number;
  readonly left: number;
  readonly enqueuedAgain: number;
  readonly tookMs: number;
}

export interface LossFound {
  readonly at: number;
  readonly reached: number;
  readonly left: number;
}

export class Recovery {
  readonly #found: LossFound;
  #enqueuedAgain: number;

  /** `earlier`: a recovery that another loss has interrupted. */
  constructor(found: LossFound, earlier: Recovery | undefined) {
    this.#found = earlier === undefined ? found : { ...found, at: earlier.#found.at };
    this.#enqueuedAgain = earlier === undefined ? 0 : earlier.#enqueuedAgain;
  }

  enqueued(offsets: readonly number[], { created }: Enqueued): void {
    const again = offsets.filter((offset) => offset <= this.#found.reached).length;
    this.#enqueuedAgain += Math.min(again, created);
  }

  /** Undefined while something is missing. `acked`: the last offset that every shard holds. */
  made(
    of: { readonly topic: string; readonly partition: number; readonly acked: number },
    now: number,
  ): Loss | undefined {
    const { at, reached, left } = this.#found;
    if (of.acked < reached) return undefined;
    return {
      topic: of.topic,
      partition: of.partition,
      at,
      kind: left < 0 ? 'emptied' : 'restored',
      reached,
      left,
      enqueuedAgain: this.#enqueuedAgain,
      tookMs: now - at,
    };
  }
}
