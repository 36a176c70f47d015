/**
 * Jobs of one batch as the arguments of enqueue-sidekiq.lua. What jobs have in common is told once: their queue, and when
 * they are due if that is later.
 */
import type { Job } from '../../job/job.ts';
import { leftText } from '../../job/place-sidekiq.ts';
import { type Dialect, enqueuedHead } from '../../job/sidekiq-job.ts';
import type { KeptJobs } from '../../job/sidekiq-kept.ts';
import type { KeptTail } from '../../job/sidekiq-tail.ts';
import { type PackableArgument, PackedArguments } from '../../redis/packed.ts';
import type { PackedJobs } from '../sink.ts';

/** Jobs of one queue that are due at one time. */
interface Place {
  readonly queue: string;
  readonly due: string;
  readonly texts: PackedArguments;
  /** As `1-3,7-7`, but for the end of the last range. */
  ranges: string;
  last: number;
}

export class Packing implements PackedJobs {
  readonly offsets: number[] = [];
  readonly #places = new Map<string, Place>();
  readonly #now: number;
  readonly #head: string;
  readonly #headBytes: Buffer;
  readonly #bytes: number | undefined;
  #last: Place | undefined;

  /** `now` in milliseconds since the epoch; `bytes`: about as many as the texts will have. */
  constructor(now: number, dialect: Dialect, bytes?: number) {
    this.#now = now;
    this.#head = enqueuedHead(now, dialect);
    this.#headBytes = Buffer.from(this.#head);
    this.#bytes = bytes;
  }

  get textBytes(): number {
    return [...this.#places.values()].reduce((sum, { texts }) => sum + texts.bytes.length, 0);
  }

  get byQueue(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { queue, texts } of this.#places.values()) counts.set(queue, (counts.get(queue) ?? 0) + texts.count);
    return counts;
  }

  get arguments(): readonly PackableArgument[] {
    return [...this.#places.values()].flatMap(({ queue, due, ranges, last, texts }) => [
      queue,
      due,
      ranges + last,
      texts.count,
      texts,
    ]);
  }

  /** In the order of offsets. */
  add(offset: number, job: Job): void {
    this.#enter(offset, job.queue, dueText(job, this.#now)).add(leftText(job, this.#head));
  }

  /** A job that was found to keep what it says, in `bytes`. */
  addKept(offset: number, bytes: Buffer, { queue, start, end }: KeptJobs, tail: KeptTail): void {
    this.#enter(offset, queue, '').addPieces(this.#headBytes, bytes, start, end, tail.bytes, tail.length);
  }

  #enter(offset: number, queue: string, due: string): PackedArguments {
    this.offsets.push(offset);
    let place = this.#last;
    if (place?.queue !== queue || place.due !== due) place = this.#placeOf(queue, due, offset);
    if (offset > place.last + 1) place.ranges += `${place.last},${offset}-`;
    place.last = offset;
    this.#last = place;
    return place.texts;
  }

  #placeOf(queue: string, due: string, offset: number): Place {
    const name = `${queue} ${due}`;
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const texts = new PackedArguments(this.#places.size === 0 ? this.#bytes : undefined);
    const place = { queue, due, texts, ranges: `${offset}-`, last: offset };
    this.#places.set(name, place);
    return place;
  }
}

/** In seconds since the epoch; empty: at once. */
export function dueText({ delayMs }: Job, now: number): string {
  return delayMs > 0 ? ((now + delayMs) / 1000).toFixed(6) : '';
}
