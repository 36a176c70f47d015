/** `sluice types`: writes the generated types, or with --check says whether they are up to date. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { typesText } from '../schema/types.ts';
import { type CommonFlags, createContext, schemasFor } from './context.ts';
import { EXIT } from './exit.ts';

export async function types(flags: CommonFlags & { check?: boolean; out: string }): Promise<number> {
  const { config } = await createContext(flags, 'types');
  const schemas = schemasFor(config);
  const text = typesText(schemas);
  const isCurrent = existsSync(flags.out) && readFileSync(flags.out, 'utf8') === text;
  if (flags.check) {
    process.stderr.write(
      isCurrent ? `${flags.out} is up to date\n` : `${flags.out} is not up to date; run: sluice types\n`,
    );
    return isCurrent ? EXIT.ok : EXIT.failed;
  }
  if (!isCurrent) writeFileSync(flags.out, text);
  process.stderr.write(`${flags.out}: ${schemas.files.length} .proto files${isCurrent ? ', unchanged' : ''}\n`);
  return EXIT.ok;
}
