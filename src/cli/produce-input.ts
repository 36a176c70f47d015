/** The lines that a command is given: one by a flag, a file of them, or stdin. */
import { createReadStream, existsSync } from 'node:fs';
import { SluiceError } from '../errors.ts';
import { linesOf } from './produce-lines.ts';

export interface InputFlags {
  readonly json?: string;
  readonly file?: string;
}

export function inputOf({ json, file }: InputFlags): AsyncIterable<string> {
  if (json !== undefined && file !== undefined) throw new SluiceError('USAGE', '--json and --file: give one of them');
  if (json !== undefined) return linesOf(one(json.replaceAll('\n', ' ')));
  if (file === undefined) return linesOf(process.stdin.setEncoding('utf8'));
  if (!existsSync(file)) throw new SluiceError('USAGE', `--file: ${file} is not there`);
  return linesOf(createReadStream(file, 'utf8'));
}

async function* one(text: string): AsyncGenerator<string> {
  yield text;
}
