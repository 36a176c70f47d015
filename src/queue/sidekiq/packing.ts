/**
 * Jobs of one batch as the arguments of enqueue-sidekiq.lua. What jobs have in common is told once: their queue, and when
 * they are due if that is later.
 */
import type { Job } from '../../job/job.ts';
import { leftText } from '../../job/place-sidekiq.ts';
import { type Dialect, enqueuedHead } from '../../job/sidekiq-job.ts';
import type { Kept } from '../../job/sidekiq-kept.ts';
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
  /** Behind the last one. */
  next: number;
}

const ROOM_BYTES = 262_144;
/** A batch's texts, and what is added to them. */
const LARGEST_ROOM = 2_097_152;
const MOST_FREE = 4;
/** Space in front of the texts, for what a call says before them. */
const FRONT_BYTES = 1_024;

export class Packing implements PackedJobs {
  readonly offsets: number[] = [];
  readonly #places = new Map<string, Place>();
  readonly #now: number;
  readonly #head: string;
  readonly #headBytes: Buffer;
  readonly #rooms: Rooms | undefined;
  #last: Place | undefined;
  #isAnswered = false;

  /** `now` in milliseconds since the epoch; `rooms`: for the jobs of the first place, which are mostly all. */
  constructor(now: number, dialect: Dialect, rooms?: Rooms) {
    this.#now = now;
    this.#head = enqueuedHead(now, dialect);
    this.#headBytes = Buffer.from(this.#head);
    this.#rooms = rooms;
  }

  get count(): number {
    return this.offsets.length;
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
    return [...this.#places.values()].flatMap(({ queue, due, ranges, next, texts }) => [
      queue,
      due,
      `${ranges}${next - 1}`,
      texts.count,
      texts,
    ]);
  }

  /** Redis has answered the call: its room may be used again. */
  answered(): void {
    const [first] = this.#places.values();
    if (first !== undefined && !this.#isAnswered) this.#rooms?.give(first.texts.room);
    this.#isAnswered = true;
  }

  /** In the order of offsets. */
  add(offset: number, job: Job): void {
    this.#enter(offset, job.queue, dueText(job, this.#now)).add(leftText(job, this.#head));
  }

  /** A job that was found to keep what it says, in `bytes`. */
  addKept(offset: number, bytes: Buffer, { queue, start, end }: Kept, tail: KeptTail): void {
    this.#enter(offset, queue, '').addPieces(this.#headBytes, bytes, start, end, tail.bytes, tail.length);
  }

  #enter(offset: number, queue: string, due: string): PackedArguments {
    this.offsets.push(offset);
    let place = this.#last;
    if (place?.queue !== queue || place.due !== due) place = this.#placeOf(queue, due, offset);
    if (offset !== place.next) place.ranges += `${place.next - 1},${offset}-`;
    place.next = offset + 1;
    this.#last = place;
    return place.texts;
  }

  #firstTexts(): PackedArguments {
    return this.#rooms === undefined ? new PackedArguments() : new PackedArguments(this.#rooms.take(), FRONT_BYTES);
  }

  #placeOf(queue: string, due: string, offset: number): Place {
    const name = `${queue} ${due}`;
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const texts = this.#places.size === 0 ? this.#firstTexts() : new PackedArguments();
    const place = { queue, due, texts, ranges: `${offset}-`, next: offset };
    this.#places.set(name, place);
    return place;
  }
}

/** Buffers that are used again: to make new ones costs their pages each time, and collections of garbage. */
export class Rooms {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
  }

  give(room: Buffer): void {
    if (this.#free.length < MOST_FREE && room.length <= LARGEST_ROOM) this.#free.push(room);
  }
}

/** In seconds since the epoch; empty: at once. */
export function dueText({ delayMs }: Job, now: number): string {
  return delayMs > 0 ? ((now + delayMs) / 1000).toFixed(6) : '';
}
