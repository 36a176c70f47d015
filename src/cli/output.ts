/** What commands print: data on stdout, as columns for people or as JSON for programs. */

type Cell = string | number;

/** Rows as lines, the columns aligned. */
export function columns(rows: readonly (readonly Cell[])[]): string[] {
  const texts = rows.map((row) => row.map(String));
  const widths = Array.from({ length: Math.max(0, ...texts.map((row) => row.length)) }, (_, column) =>
    Math.max(...texts.map((row) => row[column]?.length ?? 0)),
  );
  return texts.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** One line; `version` says which shape it has. */
export function printJson<T extends { readonly version: number }>(value: T): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** `1 letter`, `2,000 letters`. `several`: where more than one is told otherwise than by an s. */
export function counted(number: number, one: string, several = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : several}`;
}
