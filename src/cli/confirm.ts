/** Asks before something that cannot be taken back. Without a terminal there is nobody to ask: --yes has to be given. */
import { createInterface } from 'node:readline/promises';
import { SluiceError } from '../errors.ts';

export interface Consent {
  readonly yes?: boolean;
}

/** `question` says what will be done, and to how much. */
export async function confirmed(question: string, { yes }: Consent): Promise<boolean> {
  if (yes) return true;
  if (!process.stdin.isTTY) {
    throw new SluiceError('USAGE', `${question}: --yes is needed where nobody can be asked; --dry-run only looks`);
  }
  const ask = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await ask.question(`${question}? [y/N] `);
  ask.close();
  return /^y(es)?$/i.test(answer.trim());
}
