/**
 * The cuts of a partition that are on their way to its shards, under one claim. Kafka is asked for more meanwhile: a fetch
 * that began only when every cut has been acknowledged would leave Redis without work for as long as it takes.
 * What went wrong with one of them is kept until somebody has dealt with it.
 */

/**
 * Why feeding ended: all taken, the gate, a batch from further on than the partition is, a cut that would have left a hole, a
 * fence that no longer holds, a queue that refuses, letters or delay topics that fail.
 */
export type FeedEnd =
  | { readonly kind: 'taken' | 'closed' | 'revoked' | 'ahead' | 'hole' }
  | { readonly kind: 'disowned'; readonly status: string }
  | { readonly kind: 'refused'; readonly queue: string; readonly why: string }
  | { readonly kind: 'letters' | 'late' | 'failed'; readonly error: unknown };

export class Sends {
  readonly #underWay = new Set<Promise<void>>();
  /** How the first of them ended that was not taken. */
  failure: FeedEnd | undefined;

  get areUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  add(send: Promise<FeedEnd>): void {
    const noted = send
      .catch((error: unknown): FeedEnd => ({ kind: 'failed', error }))
      .then((end) => {
        this.#underWay.delete(noted);
        if (end.kind !== 'taken') this.failure ??= end;
      });
    this.#underWay.add(noted);
  }

  /** Resolves when fewer than so many are under way. */
  async fewerThan(count: number): Promise<void> {
    while (this.#underWay.size >= count) await Promise.race(this.#underWay);
  }
}
