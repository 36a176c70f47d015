/** What main.ts lends to the folders that define commands of their own. */
import type { Command } from 'commander';

export interface CommandKit {
  readonly program: Command;
  /** A command with the flags that every command has. */
  command(name: string, description: string, parent?: Command): Command;
  /** A command's action answers its exit code. */
  action<A extends unknown[]>(run: (...args: A) => Promise<number>): (...args: A) => Promise<void>;
  wholeNumber(text: string): number;
}
