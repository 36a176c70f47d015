/** What every measurement is given, and what it answers. */
import type { Spread } from './statistics.ts';

export interface Setting {
  readonly brokers: string;
  /** Rounds of those that take turns. */
  readonly rounds: number;
  /** About a minute for everything: shorter laps, fewer of them, more noise. */
  readonly isQuick: boolean;
}

/** A row of a table: figures by name, each with its spread. */
export type Rows = Readonly<Record<string, Readonly<Record<string, Spread | number>>>>;

export interface PartResult {
  readonly rows: Rows;
  readonly ratios?: Readonly<Record<string, number>>;
  readonly figures?: Readonly<Record<string, number>>;
}

export type Part = (setting: Setting) => Promise<PartResult>;
