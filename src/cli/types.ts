/** `sluice types`: writes the generated types, or with --check says whether they are up to date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { typesText } from '../schema/types.ts';
import { type CommonFlags, createContext, schemasFor } from './context.ts';
import { EXIT } from './exit.ts';
import { counted, printJson } from './output.ts';

const SHAPE_VERSION = 1;

export interface TypesFlags extends CommonFlags {
  readonly check?: boolean;
  readonly json?: boolean;
  readonly out: string;
}

export async function types(flags: TypesFlags): Promise<number> {
  const { check = false, json = false, out } = flags;
  const { config } = await createContext(flags, 'types');
  const schemas = schemasFor(config);
  const text = typesText(schemas);
  const wasCurrent = existsSync(out) && readFileSync(out, 'utf8') === text;
  if (!check && !wasCurrent) writeFileSync(out, text);
  if (json) printJson({ version: SHAPE_VERSION, file: out, wasCurrent, protoFiles: schemas.files.length });
  else process.stderr.write(`${out}: ${sentence(check, wasCurrent, schemas.files.length)}\n`);
  return check && !wasCurrent ? EXIT.failed : EXIT.ok;
}

function sentence(check: boolean, wasCurrent: boolean, protoFiles: number): string {
  if (check) return wasCurrent ? 'up to date' : 'not up to date; run: sluice types';
  return `${counted(protoFiles, '.proto file')}${wasCurrent ? ', unchanged' : ''}`;
}
