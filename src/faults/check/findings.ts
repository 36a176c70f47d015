/** What a checker found: a violation, with the lines of the history that show it. */
import type { Line } from '../history.ts';

export interface Finding {
  readonly what: string;
  readonly lines: readonly Line[];
}
