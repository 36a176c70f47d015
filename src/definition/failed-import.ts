/** Where a module of the user failed to load. Node keeps the place of an error in two ways. */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

/** The line in `file` (absolute) that the import failed at, or undefined when it lies elsewhere. */
export function failedLine(file: string, error: unknown): number | undefined {
  return lineInStack(file, error) ?? lineOfSyntaxError(file, error);
}

/** What a module threw while it ran, and TypeScript that Node cannot read. */
function lineInStack(file: string, error: unknown): number | undefined {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const name of [pathToFileURL(file).href, file]) {
    const at = stack.indexOf(`${name}:`);
    const line = at < 0 ? undefined : /^\d+/.exec(stack.slice(at + name.length + 1))?.[0];
    if (line !== undefined) return Number(line);
  }
  return undefined;
}

/** JavaScript that cannot be parsed: Node tells the place only when it prints the error itself. */
function lineOfSyntaxError(file: string, error: unknown): number | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  const { stderr } = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 5_000 });
  return lineInStack(file, Object.assign(new Error(), { stack: stderr }));
}

/** What to do about a file that Node took for CommonJS, as it takes .ts and .js where package.json does not say `module`. */
export function commonJsHint(error: unknown): string {
  const isTaken =
    error instanceof SyntaxError && /import statement outside a module|Unexpected token 'export'/.test(error.message);
  return isTaken ? '; Node takes it for CommonJS: end its name in .mts, or set "type": "module" in package.json' : '';
}
