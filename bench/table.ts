/** Rows of figures as a table in Markdown. */
import type { Rows } from './part.ts';
import type { Spread } from './statistics.ts';

/** What a column is called where its figure's name would not do. */
const HEADINGS: Readonly<Record<string, string>> = {
  perSecond: 'jobs/s',
  clientUsec: 'its own CPU, us a job',
  redisUsec: 'CPU of Redis, us a job',
  scriptUsec: 'of that in scripts, by its clock',
  redisCalls: 'commands a job',
  bytes: 'bytes a job',
};

/** A single row of many figures is turned on its side. */
export function tableOf(rows: Rows): string {
  const names = Object.keys(rows);
  const columns = [...new Set(names.flatMap((name) => Object.keys(rows[name] ?? {})))];
  if (names.length === 1) {
    const only = rows[names[0] as string] ?? {};
    return table(
      ['', names[0] as string],
      columns.map((column) => [column, textOf(only[column])]),
    );
  }
  const body = names.map((name) => [name, ...columns.map((column) => textOf(rows[name]?.[column]))]);
  return table(['', ...columns.map((column) => HEADINGS[column] ?? column)], body);
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  return line(head) + line(head.map((_, i) => (i === 0 ? '---' : '---:'))) + body.map(line).join('');
}

function textOf(figure: Spread | number | undefined): string {
  if (figure === undefined || (typeof figure !== 'number' && !Number.isFinite(figure.median))) return '';
  if (typeof figure === 'number') return figure.toLocaleString('en');
  const [median, low, high] = [figure.median, figure.low, figure.high].map((each) => each.toLocaleString('en'));
  return low === high ? `${median}` : `${median} (${low} to ${high})`;
}
