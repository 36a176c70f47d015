/**
 * The history of a run: one file, one line of JSON for each thing that happened, written by every process that saw
 * it. A line is appended by one write, so lines of several processes do not mix, and their order in the file is the
 * order in which they happened: a worker writes its end before it lets the queue know, a reading is written after it
 * was taken. Times are of a clock that goes on by itself, whatever is done to a process's own.
 */
import { openSync, readFileSync, writeSync } from 'node:fs';

/** Where a record lies in Kafka. */
export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Who ran a job: Sluice's own worker host, or a stock BullMQ worker. */
export type HostKind = 'sluice' | 'stock';

export interface RunLine extends Place {
  readonly is: 'start' | 'end';
  readonly id: string;
  readonly host: HostKind;
  readonly pid: number;
  readonly attempt: number;
  /** Of an end. */
  readonly outcome?: 'done' | 'failed';
}

/** `at` is milliseconds since the epoch. */
export type Fact =
  | {
      readonly is: 'run';
      readonly seed: number;
      readonly minutes: number;
      readonly closeAtBytes: number;
      readonly commitEveryMs: number;
    }
  /**
   * Kafka has acked a record. `track`: its worker gives an event with the record's id to the collector. `isDoomed`: it
   * may end as a dead letter.
   */
  | ({ readonly is: 'acked'; readonly id: string; readonly track?: true; readonly isDoomed?: true } & Place)
  | RunLine
  /** The receiver took the event of a record. */
  | { readonly is: 'arrived'; readonly id: string }
  | {
      readonly is: 'fault';
      readonly fault: number;
      readonly kind: string;
      readonly step: FaultStep;
      readonly seconds?: number;
      /** Other kinds that are under way at the same time. */
      readonly beside?: readonly string[];
    }
  /** What the group has committed; `letters`: end of the dead-letter topic, read after the commit. */
  | ({ readonly is: 'committed'; readonly metadata: string; readonly letters: number } & Place)
  /** A dead letter, at `letter` in its topic; the place is of the record that it is about. */
  | ({ readonly is: 'letter'; readonly letter: number; readonly reason: string } & Place)
  | { readonly is: 'memory'; readonly usedBytes: number; readonly bridges: number }
  /** Redis begins a history: from nothing, or forked off `parent` behind the event `upTo` of each queue. */
  | {
      readonly is: 'branch';
      readonly branch: number;
      readonly parent?: number;
      readonly upTo?: Readonly<Record<string, string>>;
    }
  /** A job was created, as the queue's own event stream tells at `entry`. */
  | {
      readonly is: 'added';
      readonly branch: number;
      readonly queue: string;
      readonly job: string;
      readonly entry: string;
    }
  | { readonly is: 'process'; readonly name: string; readonly pid: number; readonly step: string }
  /** Something that has to be, beside the flow, such as a partition that halts. */
  | { readonly is: 'expected'; readonly what: string; readonly isMet: boolean };

export type FaultStep = 'begin' | 'end' | 'recovered' | 'stuck';

export type Line = Fact & { readonly at: number };

export interface History {
  readonly file: string;
  append(fact: Fact): Line;
}

/** Appends to the file; several processes may at the same time. */
export function openHistory(file: string): History {
  const fd = openSync(file, 'a');
  return {
    file,
    append(fact) {
      const line = { at: now(), ...fact };
      writeSync(fd, `${JSON.stringify(line)}\n`);
      return line;
    },
  };
}

export function readHistory(file: string): Line[] {
  return parseLines(readFileSync(file, 'utf8'));
}

/** Whole lines only: what follows the last line's end is not yet, or never was, written. */
export function parseLines(text: string): Line[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** Milliseconds since the epoch by the monotonic clock: no fault moves it. */
export function now(): number {
  return Math.round(performance.timeOrigin + performance.now());
}

export function placeKey({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}
