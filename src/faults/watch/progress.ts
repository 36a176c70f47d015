/** What is produced and not yet finished, as the history says while it is being written. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type Line, parseLines, placeKey } from '../history.ts';

const READ_BYTES = 1_048_576;

export class Progress {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(READ_BYTES);
  #position = 0;
  #rest: Buffer = Buffer.alloc(0);
  /** Time of its ack, by the record's key. */
  readonly #pending = new Map<string, number>();
  /** Finished before their ack was written down. */
  readonly #early = new Set<string>();
  /** Ids that somebody waits for. */
  readonly #awaited = new Set<string>();
  #acked = 0;
  #lastAckAt = 0;

  constructor(file: string) {
    this.#fd = openSync(file, 'r');
  }

  get acked(): number {
    return this.#acked;
  }

  get lastAckAt(): number {
    return this.#lastAckAt;
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** From now on `isAwaited` tells whether a record with this id is still to be acked. */
  await(id: string): void {
    this.#awaited.add(id);
  }

  isAwaited(id: string): boolean {
    return this.#awaited.has(id);
  }

  /** How many of the records that were acked until then are not finished. */
  pendingOf(at: number): number {
    let count = 0;
    for (const ackedAt of this.#pending.values()) if (ackedAt <= at) count += 1;
    return count;
  }

  /** Reads what has been written meanwhile. */
  update(): void {
    for (;;) {
      const read = readSync(this.#fd, this.#buffer, 0, READ_BYTES, this.#position);
      if (read === 0) return;
      this.#position += read;
      const bytes = Buffer.concat([this.#rest, this.#buffer.subarray(0, read)]);
      const end = bytes.lastIndexOf(10) + 1;
      this.#rest = Buffer.from(bytes.subarray(end));
      for (const line of parseLines(bytes.toString('utf8', 0, end))) this.#take(line);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #take(line: Line): void {
    if (line.is === 'acked') {
      this.#acked += 1;
      this.#awaited.delete(line.id);
      this.#lastAckAt = line.at;
      if (!this.#early.delete(placeKey(line))) this.#pending.set(placeKey(line), line.at);
    }
    const isFinish = line.is === 'letter' || (line.is === 'end' && line.outcome === 'done');
    if (isFinish && !this.#pending.delete(placeKey(line))) this.#early.add(placeKey(line));
  }
}
