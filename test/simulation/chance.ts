/** Randomness of a world, in its words: the same seed, the same answers to the same questions. */
import { systemClock } from '../../src/clock.ts';
import { createRandom } from '../../src/faults/random.ts';

export class Chance {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = createRandom(seed);
  }

  /** A whole number of [0, count). */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  /** True in this share of the cases. */
  happens(share: number): boolean {
    return this.#random() < share;
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  /** Resolves within so many milliseconds of the world. */
  within(ms: number): Promise<void> {
    return systemClock.sleep(this.below(ms));
  }
}
